"""Segments as bytes and back; docs/index-format.md is the specification. Pure."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge_mrl.index import planes
from edge_mrl.index.codes import ByteArray
from edge_mrl.index.layout import IndexLayout
from edge_mrl.index.segments import MAX_ROWS, Segment, aligned_room
from edge_mrl.kernel import BLOCK_ROWS, CodeBlock
from edge_mrl.slices import Slice

SCAN_FORMAT = 2
"""Of scan codes: blocks of 64 rows, as the kernel reads them; format 1 was column after column. A
reader makes a segment of a format that it does not know again."""

REFINE_FORMAT = 3
"""Of refine codes: row after row."""

PLANES_FORMAT = 4
"""Of refine codes whose highest bits the scan codes hold: the planes of the others, row after
row."""


@dataclass(frozen=True, slots=True)
class SegmentBlobs:
    """Codes of a segment as they stand in the file.

    Attributes:
        format: how `codes` are to be read.
        row_numbers: int64, little-endian, rising; empty where the rows are first_row..last_row
            without a gap, and for refine codes.
        gains: uint16, little-endian.
        codes: (bytes,) scan codes: blocks of 64 rows x code_bytes, the last one filled up; refine
            codes, and 8 bits: rows x code_bytes; planes: rows x plane_bytes.
        crc32: over first_row, last_row (int64, little-endian), row_numbers, gains and codes.
        room: memory in which `codes` stand last and whole refine codes fit, where there is such.
    """

    format: int
    row_numbers: bytes
    gains: bytes
    codes: ByteArray
    crc32: int
    room: ByteArray | None = None


def scan_blobs(segment: Segment) -> SegmentBlobs:
    """The bytes to store for the scan codes."""
    numbers = segment.numbers
    row_numbers = b"" if numbers is None else numbers.astype("<i8").tobytes()
    block = segment.block
    return _blobs(segment, SCAN_FORMAT, row_numbers, block.gains, block.codes)


def refine_blobs(segment: Segment, layout: IndexLayout) -> SegmentBlobs | None:
    """The bytes to store for the refine codes; None without them."""
    block = segment.refined
    if block is None or layout.refine is None:
        return None
    if not planes.shares_plane(layout):
        return _blobs(segment, REFINE_FORMAT, b"", block.gains, block.codes)
    lower = planes.lower_planes(block.codes, layout.refine)
    return _blobs(segment, PLANES_FORMAT, b"", block.gains, lower)


def _blobs(
    segment: Segment,
    format_: int,
    row_numbers: bytes,
    gains: npt.NDArray[np.uint16],
    codes: ByteArray,
) -> SegmentBlobs:
    gain_bytes = gains.astype("<u2").tobytes()
    flat = codes.reshape(-1)
    crc = _crc(segment.first_row, segment.last_row, row_numbers, gain_bytes, flat.data)
    return SegmentBlobs(format_, row_numbers, gain_bytes, flat, crc)


def from_blobs(first_row: int, last_row: int, blobs: SegmentBlobs, scan: Slice) -> Segment | None:
    """Read a segment's scan codes; None where anything about them is wrong."""
    count = len(blobs.gains) // 2
    shape: tuple[int, ...] = (count, scan.code_bytes)
    if scan.bits < 8:
        shape = (-(-count // BLOCK_ROWS), scan.code_bytes, BLOCK_ROWS)
    if blobs.format != SCAN_FORMAT or not _is_sound(first_row, last_row, blobs, shape):
        return None
    if len(blobs.row_numbers) % 8:
        return None
    numbers: npt.NDArray[np.int64] | None = None
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
    return Segment(
        first_row, last_row, numbers, CodeBlock(blobs.codes.reshape(shape), _gains(blobs))
    )


def with_refined(segment: Segment, blobs: SegmentBlobs, layout: IndexLayout) -> Segment | None:
    """The segment with its refine codes; None where anything about them is wrong."""
    refine, rows = layout.refine, segment.block.rows
    if refine is None or blobs.row_numbers or len(blobs.gains) != 2 * rows:
        return None
    in_planes = blobs.format == PLANES_FORMAT and planes.shares_plane(layout)
    if not in_planes and blobs.format != REFINE_FORMAT:
        return None
    columns = planes.plane_bytes(refine) if in_planes else refine.code_bytes
    if not _is_sound(segment.first_row, segment.last_row, blobs, (rows, columns)):
        return None
    codes = blobs.codes.reshape(rows, columns)
    if in_planes:
        whole = rows * refine.code_bytes
        room = aligned_room((whole,)) if blobs.room is None else blobs.room[:whole]
        lower, codes = codes, room.reshape(rows, refine.code_bytes)
        planes.put_together(lower, segment.block, refine, codes)
    return replace(segment, refined=CodeBlock(codes, _gains(blobs)))


def _is_sound(first_row: int, last_row: int, blobs: SegmentBlobs, shape: tuple[int, ...]) -> bool:
    count = len(blobs.gains) // 2
    if len(blobs.gains) % 2 or count > MAX_ROWS or blobs.codes.size != math.prod(shape):
        return False
    return (
        _crc(first_row, last_row, blobs.row_numbers, blobs.gains, blobs.codes.data) == blobs.crc32
    )


def _gains(blobs: SegmentBlobs) -> npt.NDArray[np.uint16]:
    return np.frombuffer(blobs.gains, dtype="<u2").astype(np.uint16, copy=False)


def _crc(first_row: int, last_row: int, *parts: bytes | memoryview) -> int:
    crc = zlib.crc32(first_row.to_bytes(8, "little") + last_row.to_bytes(8, "little"))
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc
