"""One variant of a bundle with its tokenizer and engine: texts in, unit vectors out."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, cast

import numpy as np

from edge_mrl.backends import Backend, import_engine, open_backend
from edge_mrl.backends.protocol import ALL_TOKENS, TokenBackend, TokenChoice, WithTokens
from edge_mrl.bundle.manifest import EmbeddingInfo, Variant
from edge_mrl.bundle.reader import Bundle
from edge_mrl.encoder.prompts import InputType, prompt_name, prompt_words
from edge_mrl.errors import InputError
from edge_mrl.meanwhile import Meanwhile
from edge_mrl.slices import FloatArray, check_trained, prefix
from edge_mrl.tokenization import TextTokenizer

BATCH_TEXTS = 256
BATCH_CHARACTERS = 1 << 16
"""What is tokenised at once. The library keeps about 100 bytes of each token until its ids are
taken: 256 texts of 250 characters took 8 MiB."""

WHAT_FOLLOWS = (
    "edge_mrl.bundle.golden",
    "edge_mrl.index.opening",
    "edge_mrl.index.searching.dense",
)
"""What the self-test and an opened index are made of; 12 ms of imports. Who loads an encoder opens
an index next, but for few."""


class LoadedVariant(NamedTuple):
    """A variant that runs. Make one with `open`."""

    bundle: Bundle
    variant: Variant
    tokenizer: TextTokenizer
    max_tokens: int | None
    backend: Backend

    @classmethod
    def open(
        cls, bundle: Bundle, variant: Variant, threads: int, max_tokens: int | None = None
    ) -> LoadedVariant:
        """Load a variant's files, each checked first. They are hashed while the engine is imported
        or, where that takes less, the tokenizer read; the engine starts while that is read.

        Args:
            bundle: the bundle.
            variant: one of its variants.
            threads: threads of the engine.
            max_tokens: where texts are cut; default where the variant cuts them.

        Raises:
            BundleError: a file is damaged or missing, or its engine does not accept it.
            BackendMissingError: the engine is not installed.
        """
        longest = max_tokens or bundle.manifest.max_tokens(variant)
        info = bundle.manifest.tokenizer._replace(max_tokens=longest)
        # In the thread it would keep the engine's import waiting.
        importlib.import_module("edge_mrl.bundle.hashing")
        # Two things at a time. Imports and the tokenizer hold the interpreter's lock all along,
        # so what can do without it has the thread: hashing, and most of an engine's start.
        with Meanwhile(lambda: [bundle.checked(file) for file in variant.files]) as checking:
            import_engine(variant)

            def start() -> Backend:
                return open_backend(variant, checking.result(), pad_id=info.pad_id, threads=threads)

            with Meanwhile(start) as starting:
                tokenizer = TextTokenizer(bundle.checked(info.path), info)
                _import_what_follows(starting)
                found = cls(bundle, variant, tokenizer, longest, starting.result())
        from edge_mrl.heap import give_back

        give_back()
        return found

    @property
    def embedding(self) -> EmbeddingInfo:
        """What a vector of the model is."""
        return self.bundle.manifest.embedding

    @property
    def token_dims(self) -> tuple[int, ...]:
        """Sizes of the token vectors, rising; empty where the variant gives none."""
        return () if self.variant.token_vectors is None else self.variant.dims

    def prompt_for(self, kind: InputType | None) -> str:
        """See `Encoder.prompt_for`."""
        return prompt_words(self.embedding, prompt_name(self.embedding, kind), None)

    def embed(
        self, texts: Sequence[str], dim: int, words: str, kind: InputType | None = None
    ) -> FloatArray:
        """Embed texts with a prompt before each: (n, dim) float32; see `Encoder.encode`."""
        parts = self._tokenized(texts, words, kind)
        if len(texts) == 1:
            (part,) = parts
            return self.backend.embed(part.attended(), dim, prompt_tokens=part.left_out)
        vectors = np.empty((len(texts), dim), dtype=np.float32)
        for part in parts:
            found = self.backend.embed(part.attended(), dim, prompt_tokens=part.left_out)
            vectors[part.rows] = found
        return vectors

    def embed_with_tokens(
        self,
        texts: Sequence[str],
        dim: int,
        token_dim: int,
        words: str,
        kind: InputType | None = None,
    ) -> WithTokens:
        """As `embed`, with token vectors of a size of their own; see `Encoder.encode_tokens`.

        Raises:
            InputError: the variant gives no token vectors, or an item is not text.
            UntrainedDimError: `token_dim` is not a size that the variant gives.
        """
        if not self.token_dims:
            raise _no_tokens(self.bundle, self.variant.name)
        check_trained(token_dim, self.token_dims)
        # The manifest has said that the backend is of that kind.
        backend = cast(TokenBackend, self.backend)
        # An engine cuts all it gives at one size.
        wide = max(dim, token_dim)
        vectors = np.empty((len(texts), dim), dtype=np.float32)
        tokens: list[FloatArray] = []
        for part in self._tokenized(texts, words, kind):
            found = backend.embed_with_tokens(
                part.ids, wide, prompt_tokens=part.left_out, choice=part.choice
            )
            vectors[part.rows] = _cut(found.vectors, dim)
            tokens += [_cut(units, token_dim) for units in found.tokens]
        return WithTokens(vectors, tokens)

    def embed_padded(self, texts: Sequence[str], dim: int, room: int) -> FloatArray:
        """As `embed` without a prompt, each text padded; see `Encoder.encode_padded`."""
        longest = self.max_tokens
        tokens = self.tokenizer.encode(texts)
        return self.backend.embed(tokens, dim, room=room if longest is None else min(room, longest))

    def count_tokens(self, texts: Sequence[str], words: str) -> list[int]:
        """How many tokens are read of each text; see `Encoder.count_tokens`."""
        return [len(ids) for part in self._tokenized(texts, words) for ids in part.ids]

    def reads_whole(self, texts: Sequence[str]) -> list[bool]:
        """See `Encoder.reads_whole`."""
        limit = self.max_tokens
        if limit is None or limit == self.bundle.manifest.tokenizer.max_tokens:
            return [True] * len(texts)
        return [len(ids) < limit for ids in self.tokenizer.encode(texts)]

    def _tokenized(
        self, texts: Sequence[str], words: str, kind: InputType | None = None
    ) -> Iterator[_Part]:
        """Some texts at a time."""
        left_out = 0
        if words and not self.embedding.include_prompt:
            left_out = self.tokenizer.prompt_tokens(words)
        for places in _some_at_a_time(texts):
            part = texts[places]
            if words:
                # What is no text is for the tokenizer to refuse.
                part = [words + text if isinstance(text, str) else text for text in part]
            settings = self.embedding.late_interaction
            if settings is None or kind is None:
                yield _Part(places, self.tokenizer.encode(part), left_out, ALL_TOKENS)
                continue
            from edge_mrl.encoder import late_interaction

            ids = self.tokenizer.encode(part, late_interaction.limit(settings, kind))
            read, choice = late_interaction.read_as(settings, kind, ids)
            yield _Part(places, read, left_out, choice)


class _Part(NamedTuple):
    """Some texts as an engine reads them: their places among all, their token ids, how many tokens
    of the prompt are left out of pooling, and which tokens have vectors."""

    rows: slice
    ids: list[list[int]]
    left_out: int
    choice: TokenChoice

    def attended(self) -> list[list[int]]:
        """The token ids without those that no other token attends to, which are not pooled."""
        if self.choice.attended is None:
            return self.ids
        return [ids[:n] for ids, n in zip(self.ids, self.choice.attended, strict=True)]


def _some_at_a_time(texts: Sequence[str]) -> Iterator[slice]:
    """Places of texts that follow one another and are tokenised together."""
    start = characters = 0
    for place, text in enumerate(texts):
        # What is no text is for the tokenizer to refuse.
        characters += len(text) if isinstance(text, str) else 0
        if place > start and (place - start >= BATCH_TEXTS or characters > BATCH_CHARACTERS):
            yield slice(start, place)
            start, characters = place, len(text) if isinstance(text, str) else 0
    if start < len(texts):
        yield slice(start, len(texts))


def _import_what_follows(starting: Meanwhile[Backend]) -> None:
    """Import what comes next as long as the engine starts: it takes no time then, where there is a
    second core."""
    for name in WHAT_FOLLOWS:
        if starting.running:
            # Who opens an index is told what is missing; others need not care.
            with suppress(ImportError):
                importlib.import_module(name)


def with_token_vectors(bundle: Bundle, name: str | None) -> tuple[Variant, ...]:
    """The variants of a bundle that give token vectors.

    Args:
        bundle: the bundle.
        name: the variant that is to be run, if one is named.

    Raises:
        InputError: there is none, or the named one gives none.
    """
    found = tuple(one for one in bundle.manifest.variants if one.token_vectors is not None)
    if not found or name not in (None, *(one.name for one in found)):
        raise _no_tokens(bundle, name)
    return found


def _no_tokens(bundle: Bundle, name: str | None) -> InputError:
    what = str(bundle.path) if name is None else f"variant {name!r} of {bundle.path}"
    having = [one.name for one in bundle.manifest.variants if one.token_vectors is not None]
    advice = f"choose {' or '.join(having)}" if having else "export the model with --token-vectors"
    return InputError(f"{what} gives no token vectors: {advice}")


def _cut(units: FloatArray, dim: int) -> FloatArray:
    """Unit rows at a size; as they are where they have it."""
    return units if units.shape[1] == dim else prefix(units, dim)
