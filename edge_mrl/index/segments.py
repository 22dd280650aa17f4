"""Segments: the packed codes of a range of rows, derived from the stored rows. Pure bytes and
arrays."""

from __future__ import annotations

import math
import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl.index.codes import derive, gains
from edge_mrl.index.layout import IndexLayout
from edge_mrl.index.vector_rows import Vectors
from edge_mrl.kernel import BLOCK_ROWS, CodeBlock, pack, unpack
from edge_mrl.slices import Slice

FORMAT = 2
"""Of scan codes: blocks of 64 rows, as the kernel reads them; format 1 was column after column. A
reader makes a segment of a format that it does not know again."""

REFINE_FORMAT = 3
"""Of refine codes: row after row."""

MIN_ROWS = 4096
"""Rows after the last segment that make a new one; fewer are packed in memory by each reader."""

MAX_ROWS = 65_536
"""Rows of one segment at most: bounds the memory for building one."""

_CACHE_LINE = 64

IntArray = npt.NDArray[np.int64]


class SegmentBlobs(NamedTuple):
    """Codes of a segment as they stand in the file.

    Attributes:
        row_numbers: int64, little-endian, rising; empty where the rows are first_row..last_row
            without a gap, and for refine codes.
        gains: uint16, little-endian.
        codes: scan codes: blocks of 64 rows x code_bytes, the last one filled up; refine codes, and
            8 bits: rows x code_bytes.
        crc32: over first_row, last_row (int64, little-endian), row_numbers, gains and codes.
    """

    row_numbers: bytes
    gains: bytes
    codes: bytes
    crc32: int


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


def to_blobs(segment: Segment) -> SegmentBlobs:
    """The bytes to store for the scan codes."""
    numbers = segment.numbers
    row_numbers = b"" if numbers is None else numbers.astype("<i8").tobytes()
    return _blobs(segment, row_numbers, segment.block)


def refined_blobs(segment: Segment) -> SegmentBlobs | None:
    """The bytes to store for the refine codes; None without them."""
    return None if segment.refined is None else _blobs(segment, b"", segment.refined)


def _blobs(segment: Segment, row_numbers: bytes, block: CodeBlock) -> SegmentBlobs:
    gain_bytes = block.gains.astype("<u2").tobytes()
    codes = block.codes.tobytes()
    crc = _crc(segment.first_row, segment.last_row, row_numbers, gain_bytes, codes)
    return SegmentBlobs(row_numbers, gain_bytes, codes, crc)


def code_shape(rows: int, scan: Slice) -> tuple[int, ...]:
    """The shape of a segment's scan codes; see `CodeBlock`."""
    if scan.bits == 8:
        return (rows, scan.code_bytes)
    return (-(-rows // BLOCK_ROWS), scan.code_bytes, BLOCK_ROWS)


def from_blobs(first_row: int, last_row: int, blobs: SegmentBlobs, scan: Slice) -> Segment | None:
    """Read a segment's scan codes; None where anything about them is wrong."""
    count = len(blobs.gains) // 2
    block = _block(first_row, last_row, blobs, code_shape(count, scan))
    if block is None or len(blobs.row_numbers) % 8:
        return None
    numbers: IntArray | None = None
    whole = count == last_row - first_row + 1
    if blobs.row_numbers:
        numbers = np.frombuffer(blobs.row_numbers, dtype="<i8").astype(np.int64, copy=False)
        if numbers[0] < first_row or numbers[-1] > last_row or (np.diff(numbers) <= 0).any():
            return None
    elif not whole:
        if count:
            return None
        numbers = np.empty(0, dtype=np.int64)
    if numbers is not None and numbers.size != count:
        return None
    return Segment(first_row, last_row, numbers, block)


def with_refined(segment: Segment, blobs: SegmentBlobs, refine: Slice) -> Segment | None:
    """The segment with its refine codes; None where anything about them is wrong."""
    shape = (segment.block.rows, refine.code_bytes)
    if blobs.row_numbers or len(blobs.gains) != 2 * segment.block.rows:
        return None
    block = _block(segment.first_row, segment.last_row, blobs, shape)
    return None if block is None else segment._replace(refined=block)


def _block(
    first_row: int, last_row: int, blobs: SegmentBlobs, shape: tuple[int, ...]
) -> CodeBlock | None:
    crc = _crc(first_row, last_row, blobs.row_numbers, blobs.gains, blobs.codes)
    count = len(blobs.gains) // 2
    if crc != blobs.crc32 or len(blobs.gains) % 2 or count > MAX_ROWS:
        return None
    if len(blobs.codes) != math.prod(shape):
        return None
    levels = np.frombuffer(blobs.gains, dtype="<u2").astype(np.uint16, copy=False)
    return CodeBlock(_aligned(blobs.codes).reshape(shape), levels)


def _aligned(codes: bytes | npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A copy that begins with a cache line: a row that spans one more takes up to twice as long."""
    flat = np.frombuffer(codes, dtype=np.uint8)
    room = np.empty(flat.size + _CACHE_LINE, dtype=np.uint8)
    start = -room.ctypes.data % _CACHE_LINE
    room[start : start + flat.size] = flat
    return room[start : start + flat.size]


def aligned(segment: Segment) -> Segment:
    """The same segment with its codes where the kernel reads them soonest, as `from_blobs` puts
    them."""
    moved = [
        None
        if block is None
        else CodeBlock(_aligned(block.codes).reshape(block.codes.shape), block.gains, block.alive)
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


def _crc(first_row: int, last_row: int, *parts: bytes) -> int:
    crc = zlib.crc32(first_row.to_bytes(8, "little") + last_row.to_bytes(8, "little"))
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc


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
