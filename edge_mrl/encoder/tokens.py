"""A vector for each token: the part of `Encoder` that late interaction asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import overload

from edge_mrl.backends.protocol import WithTokens
from edge_mrl.encoder.loaded_variant import LoadedVariant
from edge_mrl.encoder.prompts import InputType, kind_of, prompt_words
from edge_mrl.encoder.self_test import check_tokens, texts_at_load
from edge_mrl.errors import InputError
from edge_mrl.slices import FloatArray


class TokenVectors:
    """The part of `Encoder` that gives token vectors.

    An engine that gives right vectors of texts may give wrong ones of tokens, so golden texts are
    compared before the first are handed out.
    """

    def __init__(self, loaded: LoadedVariant, dim: int) -> None:
        self._loaded = loaded
        self._dim = dim
        self._unchecked = True

    @property
    def token_dims(self) -> tuple[int, ...]:
        """Sizes of token vectors that the variant gives, rising; none where its bundle was exported
        without them."""
        return self._loaded.token_dims

    @overload
    def encode_tokens(  # type: ignore[overload-overlap]
        self,
        texts: str,
        *,
        dim: int | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> FloatArray: ...
    @overload
    def encode_tokens(
        self,
        texts: Sequence[str],
        *,
        dim: int | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> list[FloatArray]: ...
    def encode_tokens(
        self,
        texts: str | Sequence[str],
        *,
        dim: int | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> FloatArray | list[FloatArray]:
        """A vector for each token of each text, for late interaction (MaxSim).

        All tokens that the model reads have one, in their order, special tokens such as ``[CLS]``
        included; those of a prompt only where the model pools over them too. What has no direction
        is left out: a row of zeros of a static table. Of a model that was trained for late
        interaction, texts with the prompt "query" are cut and filled up, and those with the prompt
        "document" cut and left without vectors for punctuation, as in its training.

        Args:
            texts: one text or several; their token vectors are all in memory at once.
            dim: one of `token_dims`; default the size of the encoder.
            prompt_name: as in `encode`.
            prompt: as in `encode`.

        Returns:
            An array (tokens, dim) float32 for each text, rows of unit length; the array itself for
            a single text. A text without a token (the empty text, for a static model) gives
            (0, dim).

        Raises:
            InputError: the variant gives no token vectors, an item is not text, or the prompt is
                unknown.
            UntrainedDimError: `dim` is not a size that the variant gives.
            SelfTestError: at the first call, where the encoder was loaded with a self-test: the
                engine gives other token vectors than at export.
        """
        words = prompt_words(self._loaded.embedding, prompt_name, prompt)
        kind = kind_of(prompt_name) if prompt is None else None
        size = self._dim if dim is None else dim
        items = listed(texts)
        found = self._embed_with_tokens(items, size, size, words, kind).tokens
        return found[0] if isinstance(texts, str) else found

    def encode_query_with_tokens(self, texts: Sequence[str], dim: int) -> WithTokens:
        """What `encode_query` gives, and token vectors of `dim` coordinates, in one run of the
        model; see `encode_tokens`."""
        words = self._loaded.prompt_for("query")
        return self._embed_with_tokens(texts, self._dim, dim, words, "query")

    def encode_document_with_tokens(self, texts: Sequence[str], dim: int) -> WithTokens:
        """What `encode_document` gives, and token vectors of `dim` coordinates, in one run of the
        model; see `encode_tokens`."""
        words = self._loaded.prompt_for("document")
        return self._embed_with_tokens(texts, self._dim, dim, words, "document")

    def _embed_with_tokens(
        self,
        texts: Sequence[str],
        dim: int,
        token_dim: int,
        words: str,
        kind: InputType | None,
    ) -> WithTokens:
        if self._unchecked and self.token_dims:
            self._check_tokens(texts_at_load(self._loaded.variant))
        return self._loaded.embed_with_tokens(texts, dim, token_dim, words, kind)

    def _check_tokens(self, count: int | None) -> None:
        """Run so many of the golden texts whose token vectors the bundle holds, or all.

        Raises:
            SelfTestError: they are further from these than at export.
        """
        golden = self._loaded.bundle.golden()
        texts = golden.texts[: len(golden.tokens)]
        # Where a variant reads less of a text than the model, it has fewer tokens by right.
        whole = self._loaded.reads_whole(texts)
        fitting = [row for row, read in enumerate(whole) if read][:count]
        dim = self.token_dims[-1]
        found = self._loaded.embed_with_tokens([texts[row] for row in fitting], dim, dim, "")
        check_tokens(found.tokens, [golden.tokens[row] for row in fitting], self._loaded.variant)
        self._unchecked = False


def listed(texts: str | Iterable[str]) -> list[str]:
    """One text or several as a list.

    Raises:
        InputError: it is neither.
    """
    if not isinstance(texts, Iterable) or isinstance(texts, Mapping | bytes):
        raise InputError(f"texts must be a str or a list of them, not {type(texts).__name__}")
    return [texts] if isinstance(texts, str) else list(texts)
