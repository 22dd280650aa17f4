"""Text to vectors with one variant of a bundle. Never touches the network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

from edge_mrl.backends import first_runnable
from edge_mrl.bundle.manifest import Variant
from edge_mrl.bundle.reader import Bundle
from edge_mrl.encoder.loaded_variant import LoadedVariant, with_token_vectors
from edge_mrl.encoder.prompts import InputType, kind_of, prompt_words
from edge_mrl.encoder.self_test import check_vectors, texts_at_load
from edge_mrl.encoder.tokens import TokenVectors, listed
from edge_mrl.errors import InputError
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.schema import one_or_more
from edge_mrl.slices import FloatArray, check_trained

if TYPE_CHECKING:
    # The planner is loaded by those who give a profile.
    from edge_mrl.encoder.planned import Planned
    from edge_mrl.planning import DeviceProfile, IndexFacts, Plan, PlanFollower
    from edge_mrl.planning.companion_cost import Companions

DEFAULT_DOCUMENTS = 10_000
"""How many documents a plan is made for where nobody says: a notebook, a manual, a product list."""


class Encoder(TokenVectors):
    """Gives unit vectors of one trained size.

    Make one with `Encoder.load`. Not for use from several threads at once.
    """

    def __init__(self, loaded: LoadedVariant, dim: int, planned: Planned | None) -> None:
        super().__init__(loaded, dim)
        self._planned = planned

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        profile: str | os.PathLike[str] | DeviceProfile | None = None,
        documents: int = DEFAULT_DOCUMENTS,
        text_bytes: int | None = None,
        companions: Companions | None = None,
        index: IndexFacts | None = None,
        truncate_dim: int | None = None,
        variant: str | None = None,
        threads: int | None = None,
        token_vectors: bool = False,
        self_test: bool = True,
    ) -> Encoder:
        """Load a bundle.

        Args:
            path: the bundle folder.
            profile: a device's name, ``"auto"`` for this machine, a profile file, or a
                `DeviceProfile`; the planner then chooses variant, size, threads and where texts are
                cut for it. For this machine it chooses among the variants whose engine is
                installed, for any other device among those that have an engine there, and here too
                where there are such.
            documents: how many documents the plan is for.
            text_bytes: mean size of a document's text and metadata, for the plan.
            companions: what else an index will keep of each, for the plan.
            index: an index that exists and is to be used; the plan takes its shortlist as measured.
            truncate_dim: the size of the vectors, one of the trained ones; a plan is then made for
                at most so many dimensions.
            variant: the variant's name; a plan is then made for this one. Without it and without a
                profile: the first in the bundle whose engine is installed, or the smallest of those
                that give `truncate_dim`.
            threads: threads of the engine, default the plan's or 1 (more make a single short text
                slower).
            token_vectors: choose among the variants that also give a vector for each token; see
                `encode_tokens`.
            self_test: compare a golden text or two before the encoder is handed out; their
                token vectors too where `token_vectors`, else before the first of such.

        Raises:
            BundleError: the bundle is missing, damaged or too new.
            InputError: `threads` is no whole number of 1 or more, or token vectors are wanted, and
                no variant (or not the named one) gives them.
            UntrainedDimError: `truncate_dim` is not a trained size.
            BackendMissingError: the engine is not installed.
            SelfTestError: the engine loads the variant but gives other vectors than at export.
            ProfileError: the profile is unknown or wrong.
            PlanError: nothing fits the profile's budgets.
        """
        if threads is not None:
            threads = one_or_more(threads, "threads")
        bundle = Bundle.open(path)
        manifest = bundle.manifest
        if truncate_dim is not None:
            check_trained(truncate_dim, manifest.embedding.matryoshka_dims)
        variants = with_token_vectors(bundle, variant) if token_vectors else manifest.variants
        planned: Planned | None = None
        max_tokens: int | None = None
        if profile is not None:
            from edge_mrl.encoder.planned import plan_encoder

            planned = plan_encoder(
                bundle,
                profile,
                documents,
                variant,
                truncate_dim,
                index,
                token_vectors=token_vectors,
                text_bytes=text_bytes,
                companions=companions,
            )
            truncate_dim = truncate_dim or planned.plan.layout.stored.dim
            variant = planned.plan.variant
            threads = threads or planned.plan.threads
            max_tokens = planned.plan.max_tokens
        chosen = (
            first_runnable(variants, truncate_dim) if variant is None else manifest.variant(variant)
        )
        dim = check_trained(truncate_dim or max(chosen.dims), chosen.dims)
        encoder = cls(LoadedVariant.open(bundle, chosen, threads or 1, max_tokens), dim, planned)
        if self_test:
            encoder._self_test(texts_at_load(chosen))
            if token_vectors:
                encoder._check_tokens(texts_at_load(chosen))
        else:
            encoder._unchecked = False
        return encoder

    def __repr__(self) -> str:
        return f"<Encoder {self.model_name!r}, variant {self.variant.name}, {self.dim} dimensions>"

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return self._dim

    @property
    def matryoshka_dims(self) -> tuple[int, ...]:
        """All trained sizes of the model."""
        return self._loaded.bundle.manifest.embedding.matryoshka_dims

    @property
    def identity(self) -> str:
        """The vector space, 64 hex digits: equal for every variant of a bundle, and for no other
        model."""
        return self._loaded.bundle.manifest.model.identity

    @property
    def model_name(self) -> str:
        """The model's name, for messages."""
        return self._loaded.bundle.manifest.model.name

    @property
    def variant(self) -> Variant:
        """The variant that runs."""
        return self._loaded.variant

    @property
    def bundle(self) -> Bundle:
        """The bundle it came from."""
        return self._loaded.bundle

    @property
    def plan(self) -> Plan | None:
        """The plan that chose variant and slices, if a profile was given."""
        return None if self._planned is None else self._planned.plan

    @property
    def index_layout(self) -> IndexLayout | None:
        """The slices that an index made with this encoder keeps, where a plan says."""
        if self.plan is None or self.plan.layout.stored.dim > self._dim:
            return None
        return self.plan.layout

    def follower(
        self, profile: str | os.PathLike[str] | DeviceProfile | None = None
    ) -> PlanFollower | None:
        """Plans for one index that uses this encoder; see `Index.open`.

        Args:
            profile: as in `load`; default the one that the encoder was loaded with.

        Returns:
            None where there is no profile.

        Raises:
            ProfileError: the profile is unknown or wrong.
        """
        if profile is None and self._planned is None:
            return None
        from edge_mrl.encoder.planned import follower

        return follower(
            self.bundle,
            self.variant.name,
            self._dim,
            self._loaded.max_tokens,
            profile,
            self._planned,
        )

    @overload
    def encode(
        self, texts: str, *, prompt_name: str | None = None, prompt: str | None = None
    ) -> FloatArray: ...
    @overload
    def encode(
        self, texts: Sequence[str], *, prompt_name: str | None = None, prompt: str | None = None
    ) -> FloatArray: ...
    def encode(
        self,
        texts: str | Sequence[str],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> FloatArray:
        """Embed texts.

        Args:
            texts: one text or several. A text longer than the model reads is cut, as in training.
            prompt_name: one of the bundle's prompts to put before each text; default the model's
                own default.
            prompt: the words themselves, instead of a name.

        Returns:
            (n, dim) float32, rows of unit length; (dim,) for a single text. A text without a single
            token (the empty text, for a static model) has no direction and gives zeros.

        Raises:
            InputError: an item is not text, or the prompt is unknown.
        """
        words = prompt_words(self._loaded.embedding, prompt_name, prompt)
        return self._encode(texts, words, kind_of(prompt_name) if prompt is None else None)

    def encode_query(self, texts: str | Sequence[str]) -> FloatArray:
        """Embed queries, with the model's "query" prompt if it has one. Gives and raises what
        `encode` does."""
        return self._encode(texts, self._loaded.prompt_for("query"), "query")

    def encode_document(self, texts: str | Sequence[str]) -> FloatArray:
        """Embed documents, with the model's "document" (or "passage", "corpus") prompt if any.
        Gives and raises what `encode` does."""
        return self._encode(texts, self._loaded.prompt_for("document"), "document")

    def _encode(self, texts: str | Sequence[str], words: str, kind: InputType | None) -> FloatArray:
        vectors = self._loaded.embed(listed(texts), self._dim, words, kind)
        return vectors[0] if isinstance(texts, str) else vectors

    def prompt_for(self, input_type: InputType | None) -> str:
        """The words that go before a query or a document; before a text of neither kind, the
        model's default prompt. Empty where it has none."""
        return self._loaded.prompt_for(input_type)

    def count_tokens(self, texts: Sequence[str], *, prompt: str = "") -> list[int]:
        """How many tokens the model reads of each text, special tokens and the prompt included.

        Raises:
            InputError: an item, or the prompt, is not text.
        """
        if isinstance(texts, str):
            raise InputError("texts must be a list, not str: put a single one in brackets")
        return self._loaded.count_tokens(texts, prompt_words(self._loaded.embedding, None, prompt))

    def encode_padded(self, texts: Sequence[str], room: int) -> FloatArray:
        """Embed texts without a prompt, each padded to so many tokens at least, or to as many as
        the model reads.

        A check: padding must not change a vector. An engine that never pads, or a variant that is
        never padded since it would matter, gives what `encode` gives.

        Returns:
            (n, dim) float32, rows of unit length.
        """
        return self._loaded.embed_padded(texts, self._dim, room)

    def reads_whole(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text is read as far as the model itself would read it.

        Less is read by a variant with a limit of its own (`Variant.max_tokens`), or where a plan
        cuts texts; one that comes up to that limit counts as cut.

        Raises:
            InputError: an item is not text.
        """
        return self._loaded.reads_whole(texts)

    def verify(self) -> float:
        """Run every golden text, for token vectors too where the variant gives them.

        Returns:
            The mean cosine with the reference vectors at this encoder's size.

        Raises:
            SelfTestError: it is below what the variant reached at export.
        """
        if self.token_dims:
            self._check_tokens(None)
        return self._self_test(None)

    def _self_test(self, count: int | None) -> float:
        golden = self._loaded.bundle.golden()
        # Where a variant reads less of a text than the model, the vectors differ by right.
        fitting = np.flatnonzero(self.reads_whole(golden.texts))[:count]
        vectors = self.encode([golden.texts[row] for row in fitting], prompt="")
        return check_vectors(vectors, golden.vectors[fitting, : self._dim], self.variant)
