"""What token vectors cost, for people who choose a slice of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edge_mrl.planning.companion_cost import Companions
from edge_mrl.slices import Slice

TYPICAL_TOKENS = 128
"""Of a document, as in docs/retrieval.md; a paragraph."""

SHOWN_BITS = (8, 1)
"""What an index keeps by default, and what orders nearly as well."""


class TokenCost(NamedTuple):
    """What a slice of each token vector takes.

    Attributes:
        slice: what is kept of each.
        token_bytes: bytes of one.
        document_bytes: bytes of the index file for a document of `TYPICAL_TOKENS`.
    """

    slice: Slice
    token_bytes: int
    document_bytes: int


def token_costs(dims: Sequence[int]) -> list[TokenCost]:
    """A row a size and number of bits; the widest first.

    Args:
        dims: the sizes of token vectors that a bundle gives.
    """
    slices = [Slice(dim, bits) for dim in sorted(set(dims), reverse=True) for bits in SHOWN_BITS]
    return [
        TokenCost(
            one,
            one.code_bytes,
            round(Companions(token_vectors=TYPICAL_TOKENS, token_slice=one).document_bytes(1, 0)),
        )
        for one in slices
    ]
