"""Which sequence lengths a TFLite file has signatures for. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from edge_mrl.errors import ExportError

DEFAULT_LENGTHS = (16, 64, 256)
"""A query, a paragraph, a page: a text is padded to the next, and time grows with the length."""

MOST_BY_DEFAULT = 512
"""Attention takes memory by the square of the length; longer signatures must be asked for."""

LEAST_LONGEST = 8
"""The shortest golden texts, by which a file is checked, must fit with their special tokens."""


def choose_lengths(
    wanted: Sequence[int] | None, max_tokens: int | None, filled: int | None = None
) -> tuple[int, ...]:
    """Tokens per signature, rising.

    Args:
        wanted: what the user asked for, or None for 16, 64, 256 and the model's own limit.
        max_tokens: the model's limit, special tokens counted, or None where it has none.
        filled: to how many tokens every query is filled up, or None where none is. By default a
            signature is as long, in the place of the shortest.

    Raises:
        ExportError: the lengths are too short, one comes twice, or is beyond the model's limit;
            a query does not fit the longest.
    """
    if wanted is None:
        longest = min(max_tokens or MOST_BY_DEFAULT, MOST_BY_DEFAULT)
        usual = DEFAULT_LENGTHS if filled is None else {filled, *DEFAULT_LENGTHS[1:]}
        return (*sorted(length for length in usual if length < longest), longest)
    lengths = tuple(sorted(set(wanted)))
    if len(lengths) != len(wanted) or not lengths or lengths[0] < 2 or lengths[-1] < LEAST_LONGEST:
        raise ExportError(
            "sequence lengths must be different numbers, the longest "
            f"{LEAST_LONGEST} or more, as in 16,64,256"
        )
    if max_tokens is not None and lengths[-1] > max_tokens:
        raise ExportError(
            f"a sequence of {lengths[-1]} tokens is longer than the model reads ({max_tokens}): "
            "choose shorter ones"
        )
    if filled is not None and lengths[-1] < filled:
        raise ExportError(
            f"this model's queries are filled up to {filled} tokens: choose sequence lengths of "
            "which the longest holds them"
        )
    return lengths
