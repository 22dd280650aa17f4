"""Segments cut to some of their rows, for a scan that may return no others. Pure arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segments import Segment
from edge_mrl.kernel import BLOCK_ROWS, CodeBlock, pack

IntArray = npt.NDArray[np.int64]

COPIED_SHARE = 8
"""A segment that keeps less than one row in so many is copied without the others: the scan of what
is left then costs less than the scan of all with a mask."""


def restricted(
    segments: Iterable[Segment], rows: IntArray, layout: IndexLayout
) -> Iterator[Segment]:
    """The segments with only some of their rows; those that keep none are left out.

    Args:
        segments: in the order of their rows.
        rows: row numbers that may be returned, rising; rows that no segment holds are ignored.
        layout: of the segments' codes.
    """
    for segment in segments:
        first = np.searchsorted(rows, segment.first_row, side="left")
        last = np.searchsorted(rows, segment.last_row, side="right")
        places = _places(segment, rows[first:last])
        if segment.block.alive is not None:
            places = places[segment.block.alive[places]]
        if places.size:
            few = places.size * COPIED_SHARE < segment.block.rows
            yield _copied(segment, places, layout) if few else _masked(segment, places)


def _places(segment: Segment, rows: IntArray) -> IntArray:
    if segment.numbers is None:
        return rows - segment.first_row
    if not segment.numbers.size:
        return np.empty(0, dtype=np.int64)
    places = np.minimum(np.searchsorted(segment.numbers, rows), segment.numbers.size - 1)
    held: IntArray = places[segment.numbers[places] == rows]
    return held


def _masked(segment: Segment, places: IntArray) -> Segment:
    alive = np.zeros(segment.block.rows, dtype=np.bool_)
    alive[places] = True
    return segment._replace(block=CodeBlock(segment.block.codes, segment.block.gains, alive))


def _copied(segment: Segment, places: IntArray, layout: IndexLayout) -> Segment:
    block = CodeBlock(
        pack(packed_rows(segment.block, places), layout.scan.bits),
        np.ascontiguousarray(segment.block.gains[places]),
    )
    refined = None
    if segment.refined is not None:
        refined = CodeBlock(segment.refined.codes[places], segment.refined.gains[places])
    numbers = segment.row_numbers(places)
    return Segment(segment.first_row, segment.last_row, numbers, block, refined)


def packed_rows(block: CodeBlock, places: IntArray) -> npt.NDArray[np.uint8]:
    """The codes of some rows of a block.

    Returns:
        (n, code_bytes) uint8.
    """
    if block.codes.ndim == 2:
        return block.codes[places]
    return np.ascontiguousarray(block.codes[places // BLOCK_ROWS, :, places % BLOCK_ROWS])
