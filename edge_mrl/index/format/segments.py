"""Segments: the packed codes of a range of rows, derived from the stored rows. Pure arrays."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl.index.format.codes import derive, gains
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.vector_rows import Vectors
from edge_mrl.kernel import BLOCK_ROWS, CodeBlock, pack, unpack

MIN_ROWS = 4096
"""Rows after the last segment that make a new one; fewer are packed in memory by each reader."""

MAX_ROWS = 65_536
"""Rows of one segment at most."""

_MOST_BYTES = 2 << 20
"""Codes of one segment at most: making it and writing it takes four times its size, reading it for
one search three times."""

_CACHE_LINE = 64

IntArray = npt.NDArray[np.int64]


class Segment(NamedTuple):
    """A segment in memory.

    Attributes:
        first_row: the first row number it answers for.
        last_row: the last row number it answers for.
        numbers: (n,) int64 row numbers, rising; None where they are first_row..last_row without a
            gap.
        block: their scan codes.
        refined: their refine codes; None where the layout has none.
    """

    first_row: int
    last_row: int
    numbers: IntArray | None
    block: CodeBlock
    refined: CodeBlock | None = None

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        total = 0 if self.numbers is None else self.numbers.nbytes
        for block in (self.block, self.refined):
            if block is not None:
                total += block.codes.nbytes + block.gains.nbytes
        return total + (0 if self.block.alive is None else self.block.alive.nbytes)

    @property
    def rows(self) -> IntArray:
        """(n,) int64 row numbers, rising."""
        return self.row_numbers(np.arange(self.block.rows, dtype=np.int64))

    def row_numbers(self, places: IntArray) -> IntArray:
        """The row numbers at some places, 0 to n - 1, of the segment."""
        return places + self.first_row if self.numbers is None else self.numbers[places]


def most_rows(layout: IndexLayout) -> int:
    """How many rows a new segment holds at most: whole blocks."""
    blocks = _MOST_BYTES // (BLOCK_ROWS * layout.resident_row_bytes)
    return min(MAX_ROWS, max(1, blocks) * BLOCK_ROWS)


def build(first_row: int, last_row: int, vectors: Vectors, layout: IndexLayout) -> Segment:
    """Pack vectors.

    Args:
        first_row: start of the range that the segment answers for.
        last_row: end of it.
        vectors: those of the rows in it that hold one.
        layout: says which codes are wanted.
    """
    rows = vectors.rows
    whole = rows.size == last_row - first_row + 1
    scan = derive(vectors.codes, vectors.slice, layout.scan)
    block = CodeBlock(pack(scan.packed, layout.scan.bits), gains(scan.scales, layout.scan))
    refined = None
    if layout.refine is not None:
        finer = derive(vectors.codes, vectors.slice, layout.refine)
        refined = CodeBlock(finer.packed, gains(finer.scales, layout.refine))
    return Segment(first_row, last_row, None if whole else rows, block, refined)


def aligned_room(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Room for codes that begins with a cache line: a row that spans one more takes up to twice as
    long."""
    size = math.prod(shape)
    room = np.empty(size + _CACHE_LINE, dtype=np.uint8)
    start = -room.ctypes.data % _CACHE_LINE
    return room[start : start + size].reshape(shape)


class CodeRoom:
    """Memory for the codes of several segments, taken piece by piece.

    From 4 MiB on numpy asks the system for huge pages: of a million documents it then makes 48
    instead of 24 000, and a search finds them sooner.

    Args:
        size: bytes; what does not fit gets memory of its own.
    """

    def __init__(self, size: int) -> None:
        self._free = aligned_room((size,))

    @staticmethod
    def taken_by(size: int) -> int:
        """Bytes of room that a piece of `size` takes."""
        return -(-size // _CACHE_LINE) * _CACHE_LINE

    def take(self, size: int) -> npt.NDArray[np.uint8]:
        """`aligned_room` of `size` bytes."""
        if size > self._free.size:
            return aligned_room((size,))
        taken, self._free = self._free[:size], self._free[self.taken_by(size) :]
        return taken


def _aligned(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    room = aligned_room(codes.shape)
    room[...] = codes
    return room


def aligned(segment: Segment) -> Segment:
    """The same segment with its codes where the kernel reads them soonest."""
    moved = [
        None if block is None else CodeBlock(_aligned(block.codes), block.gains, block.alive)
        for block in (segment.block, segment.refined)
    ]
    assert moved[0] is not None
    return segment._replace(block=moved[0], refined=moved[1])


def without(segment: Segment, dead: IntArray) -> Segment:
    """The same segment with some rows masked.

    Args:
        segment: a segment.
        dead: row numbers; those that it does not hold are ignored.
    """
    if not dead.size or not segment.block.rows:
        return segment
    if segment.numbers is None:
        hit = dead[(dead >= segment.first_row) & (dead <= segment.last_row)] - segment.first_row
    else:
        places = np.searchsorted(segment.numbers, dead)
        places = places[places < segment.numbers.size]
        hit = places[np.isin(segment.numbers[places], dead)]
    if not hit.size:
        return segment
    old = segment.block
    alive = np.ones(old.rows, dtype=np.bool_) if old.alive is None else old.alive.copy()
    alive[hit] = False
    return segment._replace(block=CodeBlock(old.codes, old.gains, alive))


def joined(first: Segment, second: Segment, layout: IndexLayout) -> Segment:
    """One segment of two that follow one another."""
    a, b = first.block, second.block
    alive = None
    if a.alive is not None or b.alive is not None:
        alive = np.concatenate([_mask(a), _mask(b)])
    codes = pack(np.concatenate([unpack(a), unpack(b)]), layout.scan.bits)
    block = CodeBlock(codes, np.concatenate([a.gains, b.gains]), alive)
    refined = None
    if first.refined is not None and second.refined is not None:
        c, d = first.refined, second.refined
        refined = CodeBlock(np.concatenate([c.codes, d.codes]), np.concatenate([c.gains, d.gains]))
    numbers = None
    if first.numbers is not None or second.numbers is not None:
        numbers = np.concatenate([first.rows, second.rows])
    return Segment(first.first_row, second.last_row, numbers, block, refined)


def _mask(block: CodeBlock) -> npt.NDArray[np.bool_]:
    return np.ones(block.gains.size, dtype=np.bool_) if block.alive is None else block.alive
