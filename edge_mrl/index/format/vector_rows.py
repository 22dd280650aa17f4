"""The stored row of a vector as bytes: codes, checksum. Pure; docs/index-format.md specifies it.

Stored vectors have length 1, so the codes say all: the scale of 8-bit codes is 1 / their length. Up
to schema 3 a record of 8-bit codes began with a scale, which is read over.
"""

import zlib
from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl.index.format.codes import ByteArray, Codes, decode
from edge_mrl.kernel.checked_rows import CRC_BYTES, CRC_RESIDUE
from edge_mrl.slices import FloatArray, Slice, prefix

_SCALE_BYTES = 4


def record_bytes(slice_: Slice) -> int:
    """Length of a record: the codes, four bytes of CRC-32."""
    return slice_.code_bytes + CRC_BYTES


def _crc(row: int, body: bytes | memoryview) -> int:
    # The row number is covered too, so that a record under another row is noticed.
    return zlib.crc32(body, zlib.crc32(row.to_bytes(8, "little")))


def pack_records(
    codes: Codes, slice_: Slice, first_row: int, *, scaled: bool = False
) -> list[bytes]:
    """Records of rows first_row, first_row + 1, ... in order.

    Args:
        codes: n vectors at the stored slice.
        slice_: the stored slice.
        first_row: the row of the first one.
        scaled: whether 8-bit codes come after their scale, as older schemas have it.
    """
    bodies: ByteArray = codes.packed
    if scaled and slice_.bits == 8:
        scales = codes.scales.astype("<f4").view(np.uint8).reshape(-1, _SCALE_BYTES)
        bodies = np.concatenate([scales, codes.packed], axis=1)
    view = memoryview(np.ascontiguousarray(bodies).tobytes())
    size = bodies.shape[1]
    records = []
    for number in range(bodies.shape[0]):
        body = view[number * size : (number + 1) * size]
        records.append(bytes(body) + _crc(first_row + number, body).to_bytes(4, "little"))
    return records


def shorter_record(row: int, record: bytes) -> bytes:
    """A sound record of 8-bit codes without its scale; any other as it is, so that damage stays
    damage."""
    if not isinstance(record, bytes) or _crc(row, record) != CRC_RESIDUE:
        return record
    body = record[_SCALE_BYTES:-CRC_BYTES]
    return body + _crc(row, body).to_bytes(CRC_BYTES, "little")


class Unpacked(NamedTuple):
    """Records read back.

    Attributes:
        codes: those of the sound records, in order.
        damaged: row numbers whose record has the wrong length or checksum.
    """

    codes: Codes
    damaged: tuple[int, ...]


def unpack_records(rows: Sequence[int], records: Sequence[bytes], slice_: Slice) -> Unpacked:
    """Check and split records.

    Args:
        rows: (n,) row numbers.
        records: (n,) what `pack_records` made for them.
        slice_: the stored slice.
    """
    size = record_bytes(slice_)
    damaged: tuple[int, ...] = ()
    lengths = (size, size + _SCALE_BYTES) if slice_.bits == 8 else (size,)
    if not any(_all_sound(rows, records, length) for length in lengths):
        good = [
            any(_all_sound([row], [record], length) for length in lengths)
            for row, record in zip(rows, records, strict=True)
        ]
        damaged = tuple(row for row, fine in zip(rows, good, strict=True) if not fine)
        records = list(compress(records, good))
    together = b"".join(records)
    if len(together) != size * len(records):
        together = b"".join(record[-size:] for record in records)
    # A bytearray, because old numpy refuses to look at an empty bytes object.
    table = np.frombuffer(together or bytearray(), dtype=np.uint8).reshape(len(records), size)
    return Unpacked(unscaled(table[:, :-CRC_BYTES]), damaged)


def unscaled(packed: ByteArray) -> Codes:
    """Stored codes, (n, code_bytes) uint8, as `Codes`; their scales are 1, because whoever needs
    unit vectors takes the lengths off."""
    return Codes(packed, np.ones(packed.shape[0], dtype=np.float32))


def _all_sound(rows: Sequence[int], records: Sequence[bytes], size: int) -> bool:
    """Whether all records have the right length and checksum."""
    # A search waits for this, so nothing but the checksum is computed one by one.
    crc = zlib.crc32
    try:
        if set(map(len, records)) - {size}:
            return False
        found = [
            crc(record, crc(row.to_bytes(8, "little")))
            for row, record in zip(rows, records, strict=True)
        ]
    except TypeError:  # a number, a text or nothing at all
        return False
    return found.count(CRC_RESIDUE) == len(found)


class Vectors(NamedTuple):
    """Stored vectors.

    Attributes:
        rows: (n,) int64 row numbers, rising.
        codes: their codes.
        slice: the stored slice.
        lengths: (n,) float64 lengths of the codes taken as whole numbers, see `stored_scores`;
            None where nobody has computed them yet.
    """

    rows: npt.NDArray[np.int64]
    codes: Codes
    slice: Slice
    lengths: npt.NDArray[np.float64] | None = None

    @property
    def units(self) -> FloatArray:
        """(n, dim) float32 of unit length; computed at each call."""
        return unit_vectors(self.codes, self.slice)


def unit_vectors(codes: Codes, slice_: Slice) -> FloatArray:
    """Stored codes as (n, dim) float32 of unit length. The scale cancels, so 8-bit codes are used
    as they are."""
    if slice_.bits == 8:
        return prefix(np.ascontiguousarray(codes.packed).view(np.int8), slice_.dim)
    return prefix(decode(codes, slice_), slice_.dim)
