"""Segments cut to some of their rows, for a scan that may return no others. Pure arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from edge_mrl.index.segments import Segment
from edge_mrl.kernel import BLOCK_ROWS, CodeBlock, pack
from edge_mrl.slices import Slice

IntArray = npt.NDArray[np.int64]

COPIED_SHARE = 8
"""A segment that keeps less than one row in so many is copied without the others: the scan of what
is left then costs less than the scan of all with a mask."""


def restricted(segments: Iterable[Segment], rows: IntArray, scan: Slice) -> Iterator[Segment]:
    """The segments with only some of their rows; those that keep none are left out.

    Args:
        segments: of the slice `scan`, in the order of their rows.
        rows: row numbers that may be returned, rising; rows that no segment holds are ignored.
        scan: the slice of the codes.
    """
    for segment in segments:
        first = np.searchsorted(rows, segment.first_row, side="left")
        last = np.searchsorted(rows, segment.last_row, side="right")
        if first == last or not segment.rows.size:
            continue
        wanted = rows[first:last]
        places = np.searchsorted(segment.rows, wanted)
        inside = places < segment.rows.size
        places, wanted = places[inside], wanted[inside]
        places = places[segment.rows[places] == wanted]
        if segment.block.alive is not None:
            places = places[segment.block.alive[places]]
        if places.size:
            few = places.size * COPIED_SHARE < segment.rows.size
            yield _copied(segment, places, scan) if few else _masked(segment, places)


def _masked(segment: Segment, places: IntArray) -> Segment:
    alive = np.zeros(segment.rows.size, dtype=np.bool_)
    alive[places] = True
    block = CodeBlock(segment.block.codes, segment.block.gains, alive)
    return Segment(segment.first_row, segment.last_row, segment.rows, block)


def _copied(segment: Segment, places: IntArray, scan: Slice) -> Segment:
    block = CodeBlock(
        pack(packed_rows(segment.block, places), scan.bits),
        np.ascontiguousarray(segment.block.gains[places]),
    )
    return Segment(segment.first_row, segment.last_row, segment.rows[places], block)


def packed_rows(block: CodeBlock, places: IntArray) -> npt.NDArray[np.uint8]:
    """The codes of some rows of a block.

    Returns:
        (n, code_bytes) uint8.
    """
    if block.codes.ndim == 2:
        return block.codes[places]
    return np.ascontiguousarray(block.codes[places // BLOCK_ROWS, :, places % BLOCK_ROWS])
