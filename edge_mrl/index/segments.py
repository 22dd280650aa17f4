"""Segments: the packed scan codes of a range of rows, derived from the stored rows. Pure bytes and
arrays."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_mrl.index.codes import encode, gains
from edge_mrl.kernel import BLOCK_ROWS, CodeBlock, pack, unpack
from edge_mrl.slices import FloatArray, Slice

FORMAT = 2
"""Blocks of 64 rows, as the kernel reads them; format 1 was column after column. A reader rebuilds
a segment of a format it does not know."""

MIN_ROWS = 4096
"""Rows after the last segment that make a new one; fewer are packed in memory by each reader."""

MAX_ROWS = 65_536
"""Rows of one segment at most: bounds the memory for building one."""

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SegmentBlobs:
    """A segment as it stands in the file.

    Attributes:
        row_numbers: int64, little-endian, rising; empty where the rows are first_row..last_row
            without a gap.
        gains: uint16, little-endian.
        codes: blocks of 64 rows x code_bytes, the last one filled up; 8 bits: rows x code_bytes.
        crc32: over first_row, last_row (int64, little-endian), row_numbers, gains and codes.
    """

    row_numbers: bytes
    gains: bytes
    codes: bytes
    crc32: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment in memory.

    Attributes:
        first_row: the first row number it answers for.
        last_row: the last row number it answers for.
        rows: (n,) int64 row numbers, rising.
        block: their codes.
    """

    first_row: int
    last_row: int
    rows: IntArray
    block: CodeBlock

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        alive = 0 if self.block.alive is None else self.block.alive.nbytes
        return self.rows.nbytes + self.block.codes.nbytes + self.block.gains.nbytes + alive


def build(first_row: int, last_row: int, rows: IntArray, units: FloatArray, scan: Slice) -> Segment:
    """Pack vectors for the scan.

    Args:
        first_row: start of the range that the segment answers for.
        last_row: end of it.
        rows: (n,) the row numbers in it that hold a vector, rising.
        units: (n, stored dim) float32, as `unit_vectors` gives them.
        scan: the scan slice.
    """
    codes = encode(units, scan)
    block = CodeBlock(pack(codes.packed, scan.bits), gains(codes.scales, scan))
    return Segment(first_row, last_row, rows, block)


def to_blobs(segment: Segment) -> SegmentBlobs:
    """The bytes to store."""
    rows = segment.rows
    whole = rows.size == segment.last_row - segment.first_row + 1
    row_numbers = b"" if whole else rows.astype("<i8").tobytes()
    gain_bytes = segment.block.gains.astype("<u2").tobytes()
    codes = segment.block.codes.tobytes()
    crc = _crc(segment.first_row, segment.last_row, row_numbers, gain_bytes, codes)
    return SegmentBlobs(row_numbers, gain_bytes, codes, crc)


def code_shape(rows: int, scan: Slice) -> tuple[int, ...]:
    """The shape of a segment's codes; see `CodeBlock`."""
    if scan.bits == 8:
        return (rows, scan.code_bytes)
    return (-(-rows // BLOCK_ROWS), scan.code_bytes, BLOCK_ROWS)


def from_blobs(first_row: int, last_row: int, blobs: SegmentBlobs, scan: Slice) -> Segment | None:
    """Read a segment without copying its codes; None where anything about it is wrong."""
    crc = _crc(first_row, last_row, blobs.row_numbers, blobs.gains, blobs.codes)
    if crc != blobs.crc32 or len(blobs.gains) % 2 or len(blobs.row_numbers) % 8:
        return None
    count = len(blobs.gains) // 2
    shape = code_shape(count, scan)
    if count > MAX_ROWS or len(blobs.codes) != math.prod(shape):
        return None
    if blobs.row_numbers:
        rows = np.frombuffer(blobs.row_numbers, dtype="<i8").astype(np.int64, copy=False)
        if rows.size and (rows[0] < first_row or rows[-1] > last_row or (np.diff(rows) <= 0).any()):
            return None
    elif count == last_row - first_row + 1:
        rows = np.arange(first_row, last_row + 1, dtype=np.int64)
    elif count:
        return None
    else:
        rows = np.empty(0, dtype=np.int64)
    if rows.size != count:
        return None
    codes = np.frombuffer(blobs.codes, dtype=np.uint8).reshape(shape)
    levels = np.frombuffer(blobs.gains, dtype="<u2").astype(np.uint16, copy=False)
    return Segment(first_row, last_row, rows, CodeBlock(codes, levels))


def without(segment: Segment, dead: IntArray) -> Segment:
    """The same segment with some rows masked.

    Args:
        segment: a segment.
        dead: row numbers; those that it does not hold are ignored.
    """
    if not dead.size or not segment.rows.size:
        return segment
    places = np.searchsorted(segment.rows, dead)
    places = places[places < segment.rows.size]
    hit = places[np.isin(segment.rows[places], dead)]
    if not hit.size:
        return segment
    old = segment.block
    alive = np.ones(segment.rows.size, dtype=np.bool_) if old.alive is None else old.alive.copy()
    alive[hit] = False
    block = CodeBlock(old.codes, old.gains, alive)
    return Segment(segment.first_row, segment.last_row, segment.rows, block)


def _crc(first_row: int, last_row: int, *parts: bytes) -> int:
    crc = zlib.crc32(first_row.to_bytes(8, "little") + last_row.to_bytes(8, "little"))
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc


def joined(first: Segment, second: Segment, scan: Slice) -> Segment:
    """One segment of two that follow one another."""
    a, b = first.block, second.block
    alive = None
    if a.alive is not None or b.alive is not None:
        alive = np.concatenate([_mask(a), _mask(b)])
    packed = np.concatenate([unpack(a), unpack(b)])
    codes = pack(packed, scan.bits)
    block = CodeBlock(codes, np.concatenate([a.gains, b.gains]), alive)
    rows = np.concatenate([first.rows, second.rows])
    return Segment(first.first_row, second.last_row, rows, block)


def _mask(block: CodeBlock) -> npt.NDArray[np.bool_]:
    return np.ones(block.gains.size, dtype=np.bool_) if block.alive is None else block.alive
