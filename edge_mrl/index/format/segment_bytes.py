"""Segments as bytes and back; docs/index-format.md is the specification. Pure."""

from __future__ import annotations

import math
import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl import kernel
from edge_mrl.index.format import planes
from edge_mrl.index.format.codes import ByteArray
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segments import MAX_ROWS, Segment, aligned_room
from edge_mrl.kernel import BLOCK_ROWS, CodeBlock
from edge_mrl.slices import Slice

PLANES_FORMAT = 4
"""Of refine codes whose highest bits the scan codes hold: the planes of the others, row after
row."""

SCAN_FORMAT = 5
"""Of scan codes: blocks of 64 rows, as the kernel reads them."""

REFINE_FORMAT = 6
"""Of other refine codes: row after row."""

OLDER_SCAN_FORMAT, OLDER_REFINE_FORMAT = 2, 3
"""The same with gains that are not packed. A reader makes a segment of a format that it does not
know again; format 1 was column after column."""


class SegmentBlobs(NamedTuple):
    """Codes of a segment as they stand in the file.

    Attributes:
        format: how `codes` are to be read.
        row_numbers: int64, little-endian, rising; empty where the rows are first_row..last_row
            without a gap, and for refine codes.
        gains: packed, see `_packed`; uint16, little-endian, in older formats.
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
    if not layout.shares_plane:
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
    packed = _packed(gains)
    flat = codes.reshape(-1)
    crc = _crc(segment.first_row, segment.last_row, row_numbers, packed, flat.data)
    return SegmentBlobs(format_, row_numbers, packed, flat, crc)


def room_bytes(format_: object, size: int, slice_: Slice) -> int | None:
    """How much room codes of `size` bytes need to become what is searched; None where no segment
    has so many."""
    if size > (MAX_ROWS + BLOCK_ROWS) * slice_.code_bytes:
        return None
    if format_ != PLANES_FORMAT:
        return size
    rows = size // max(1, (slice_.bits - 1) * Slice(slice_.dim, 1).code_bytes)
    return max(size, min(rows, MAX_ROWS) * slice_.code_bytes)


def from_blobs(first_row: int, last_row: int, blobs: SegmentBlobs, scan: Slice) -> Segment | None:
    """Read a segment's scan codes; None where anything about them is wrong."""
    gains = _unpacked(blobs, blobs.format == OLDER_SCAN_FORMAT)
    if gains is None or blobs.format not in (SCAN_FORMAT, OLDER_SCAN_FORMAT):
        return None
    count = gains.size
    shape: tuple[int, ...] = (count, scan.code_bytes)
    if scan.bits < 8:
        shape = (-(-count // BLOCK_ROWS), scan.code_bytes, BLOCK_ROWS)
    if not _is_sound(first_row, last_row, blobs, shape):
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
    return Segment(first_row, last_row, numbers, CodeBlock(blobs.codes.reshape(shape), gains))


def with_refined(segment: Segment, blobs: SegmentBlobs, layout: IndexLayout) -> Segment | None:
    """The segment with its refine codes; None where anything about them is wrong."""
    refine, rows = layout.refine, segment.block.rows
    gains = _unpacked(blobs, blobs.format == OLDER_REFINE_FORMAT)
    if refine is None or blobs.row_numbers or gains is None or gains.size != rows:
        return None
    in_planes = blobs.format == PLANES_FORMAT and layout.shares_plane
    if not in_planes and blobs.format not in (REFINE_FORMAT, OLDER_REFINE_FORMAT):
        return None
    columns = layout.plane_bytes if in_planes else refine.code_bytes
    if not _is_sound(segment.first_row, segment.last_row, blobs, (rows, columns)):
        return None
    codes = blobs.codes.reshape(rows, columns)
    if in_planes:
        whole = rows * refine.code_bytes
        room = aligned_room((whole,)) if blobs.room is None else blobs.room[:whole]
        lower, codes = codes, room.reshape(rows, refine.code_bytes)
        kernel.join_planes(lower, segment.block, refine.bits, codes)
    return segment._replace(refined=CodeBlock(codes, gains))


def _is_sound(first_row: int, last_row: int, blobs: SegmentBlobs, shape: tuple[int, ...]) -> bool:
    if blobs.codes.size != math.prod(shape):
        return False
    return (
        _crc(first_row, last_row, blobs.row_numbers, blobs.gains, blobs.codes.data) == blobs.crc32
    )


def _packed(gains: npt.NDArray[np.uint16]) -> bytes:
    """The low bytes of all gains, then the high bytes, as a zlib stream: less than half as long."""
    halves = gains.astype("<u2").view(np.uint8).reshape(-1, 2)
    return zlib.compress(halves.T.tobytes())


def _unpacked(blobs: SegmentBlobs, plain: bool) -> npt.NDArray[np.uint16] | None:
    """The gains; None where they are not as they should be, or too many."""
    data = blobs.gains
    if not plain:
        stream = zlib.decompressobj()
        try:
            data = stream.decompress(data, 2 * MAX_ROWS + 1)
        except zlib.error:
            return None
        if not stream.eof or stream.unused_data:
            return None
    if len(data) % 2 or len(data) > 2 * MAX_ROWS:
        return None
    # A bytearray, because old numpy refuses to look at an empty bytes object.
    halves = np.frombuffer(data or bytearray(), dtype=np.uint8)
    low, high = (halves[::2], halves[1::2]) if plain else halves.reshape(2, -1)
    gains = high.astype(np.uint16)
    gains <<= 8
    gains |= low
    return gains


def _crc(first_row: int, last_row: int, *parts: bytes | memoryview) -> int:
    crc = zlib.crc32(first_row.to_bytes(8, "little") + last_row.to_bytes(8, "little"))
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc
