"""What one more row costs in each stage of a search, and the ways to share out misses by it. Pure
arithmetic.

Seconds are of the reference machine of `planning.encoder_cost` with 128-bit vectors, as on the
boards. What may be missed is shared out among two lists so that both together cost least: a row of
the first is looked at in memory for a fraction of what rereading a stored row costs.
"""

from __future__ import annotations

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.slices import Slice

REFINE_NS_PER_ROW = 40.0
REFINE_NS_PER_BYTE = 0.1
"""Keeping one more row of the scan and scoring it by finer codes, per row and per byte of these,
measured with 102 400 rows: from 250 to 4000 rows 47 ns each with 256x2, 48 with 256x8, 65 with
256x4, 85 with 384x4; half of that with AVX-512."""

WARM_ROW_SECONDS = 0.4e-6
WARM_BYTE_SECONDS = 1.9e-9
"""Reading, checking and rescoring one shortlisted row that is in the page cache, and each byte of
it. Measured with lists of 443 and 680 rows of 256x8: 0.8 and 0.9 us a row."""

COLD_ROW = 2.5
"""What a row of a short list takes, in rows of the long lists above: its place in the file is not
in the processor's caches. 40 rows of 256x8, each search others, take about 2 us each."""

FIRST_SHARES = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Of what two lists may miss, what the first may: the ways that are tried. Below a half its length
rests on the very worst neighbours of a few hundred queries."""


def refine_seconds_per_row(refine: Slice) -> float:
    """Seconds for keeping one more row of the scan and scoring it by its finer codes."""
    return 1e-9 * (REFINE_NS_PER_ROW + REFINE_NS_PER_BYTE * refine.code_bytes)


def warm_row_seconds(stored: Slice) -> float:
    """Seconds for rereading a row that is in the page cache."""
    return WARM_ROW_SECONDS + WARM_BYTE_SECONDS * stored.nbytes


def look_cost(layout: IndexLayout) -> float:
    """What a row of the first of two lists costs, in rows reread; 0 where there is one list."""
    if layout.refine is None:
        return 0.0
    return refine_seconds_per_row(layout.refine) / (COLD_ROW * warm_row_seconds(layout.stored))


def shared_misses(missed: float, lists: int) -> tuple[tuple[float, ...], ...]:
    """The ways to share out what may be missed among one list or two.

    Args:
        missed: share of the true neighbours.
        lists: 1 or 2.

    Returns:
        What each list may miss, for each of the ways.
    """
    if lists == 1:
        return ((missed,),)
    return tuple((share * missed, (1 - share) * missed) for share in FIRST_SHARES)
