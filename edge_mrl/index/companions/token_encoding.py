"""Token vectors that the index's own model makes of its texts and queries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from edge_mrl.errors import InputError
from edge_mrl.index.format.token_layout import TokenLayout
from edge_mrl.index.format.token_records import pack_codes
from edge_mrl.retrieval.multi_vector import MAX_TOKENS, MultiVector
from edge_mrl.slices import FloatArray, Slice

_TEXTS = 32
"""Texts whose token vectors are floats at once: 12 MiB at 256 tokens of 384 dimensions."""


@runtime_checkable
class TokenEncoder(Protocol):
    """A `TextEncoder` that may also give a vector for each token, as `edge_mrl.Encoder` does."""

    @property
    def token_dims(self) -> tuple[int, ...]:
        """Sizes of token vectors that it gives, rising; empty where it gives none."""

    def encode_query_with_tokens(
        self, texts: Sequence[str], dim: int, /
    ) -> tuple[FloatArray, list[FloatArray]]:
        """What `encode_query` gives, and an array (tokens, dim) float32 for each text, rows of unit
        length."""

    def encode_document_with_tokens(
        self, texts: Sequence[str], dim: int, /
    ) -> tuple[FloatArray, list[FloatArray]]:
        """The same of documents."""


def layout_of(encoder: object, stored: Slice | tuple[int, int] | None) -> TokenLayout:
    """How an index keeps token vectors that its encoder makes.

    Args:
        encoder: the index's encoder, or None.
        stored: what is kept of each; None for all dimensions at 8 bits.

    Raises:
        InputError: there is no encoder, or it gives no token vectors.
        SliceError: the slice cannot be, or is wider than the encoder's token vectors.
        UntrainedDimError: the slice is not of a trained size.
    """
    sizes = _token_encoder(encoder, "this index").token_dims
    return TokenLayout.checked(sizes[-1], sizes, stored, by_model=True)


def maker(encoder: object, kept: TokenLayout, path: Path) -> TokenEncoder:
    """The encoder, if it makes what an index keeps.

    Raises:
        InputError: there is none, or it gives no token vectors, or none of that size.
    """
    found = _token_encoder(encoder, str(path))
    if kept.stored.dim not in found.token_dims:
        sizes = ", ".join(map(str, found.token_dims))
        raise InputError(
            f"{path} keeps token vectors of {kept.stored.dim} dimensions, and this model gives "
            f"{sizes}: load a variant or bundle that gives them, or reslice the index"
        )
    return found


def _token_encoder(encoder: object, what: str) -> TokenEncoder:
    if encoder is None:
        raise InputError(
            f"{what} was opened without an encoder, which makes token vectors of texts: open it "
            "with one, or give token vectors"
        )
    if not isinstance(encoder, TokenEncoder) or not encoder.token_dims:
        raise InputError(
            f"the encoder of {what} gives no token vectors: export the model with "
            "--token-vectors, and load it with token_vectors=True"
        )
    return encoder


def encode_documents(
    encoder: TokenEncoder, texts: Sequence[str], kept: TokenLayout
) -> tuple[FloatArray, dict[int, bytes]]:
    """Embed documents and their tokens.

    The token vectors of a few texts are in memory as floats at a time, those of all as codes.

    Args:
        encoder: from `maker`.
        texts: one or more.
        kept: what is kept of each token.

    Returns:
        The vectors, as `encode_document` gives them, and the codes of the tokens of each text, by
        its number; a text without a token has none. Of a text with more than 65 536 tokens, the
        first so many.
    """
    vectors: list[FloatArray] = []
    codes: dict[int, bytes] = {}
    for start in range(0, len(texts), _TEXTS):
        part, tokens = encoder.encode_document_with_tokens(
            texts[start : start + _TEXTS], kept.stored.dim
        )
        vectors.append(part)
        for number, units in enumerate(tokens, start):
            if len(units):
                codes[number] = pack_codes(units[:MAX_TOKENS], kept.stored)
    return np.concatenate(vectors), codes


def encode_query(
    encoder: TokenEncoder, text: str, kept: TokenLayout
) -> tuple[FloatArray, MultiVector | None]:
    """Embed a query and its tokens, in one run of the model.

    Args:
        encoder: from `maker`.
        text: the query.
        kept: what the index keeps of each token.

    Returns:
        Its vector, as `encode_query` gives it, (dim,) float32, and its token vectors; None for a
        text without a token.
    """
    vectors, tokens = encoder.encode_query_with_tokens([text], kept.stored.dim)
    (units,) = tokens
    vector: FloatArray = vectors[0]
    return vector, MultiVector(units[:MAX_TOKENS]) if len(units) else None
