"""Vectors to packed codes of a slice and back. Pure numpy; docs/index-format.md is the
specification.

1-, 2- and 4-bit codes are taken after a rotation of the slice's own prefix, see `kernel.packer`.
8-bit codes are rounded multiples of max |x| / 127.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl import kernel
from edge_mrl.index.format.rotation import rotate_vector, turns, unrotate_columns
from edge_mrl.kernel import packer
from edge_mrl.kernel.quantizer import LEVELS
from edge_mrl.slices import FloatArray, Slice, prefix

ByteArray = npt.NDArray[np.uint8]

_CHUNK_VALUES = 1 << 18
"""Coordinates encoded at once: temporaries of about a megabyte stay in cache."""
_GAIN_UNIT_TABLE = 1024
_GAIN_UNIT_INT8 = 65_536


class Codes(NamedTuple):
    """Packed vectors of one slice.

    Attributes:
        packed: (n, code_bytes) uint8.
        scales: (n,) float32; 1 where the slice holds floats, 0 where the prefix is all zero.
    """

    packed: ByteArray
    scales: FloatArray


def encode(vectors: FloatArray, slice_: Slice) -> Codes:
    """Cut vectors to the slice's prefix, renormalise, and pack.

    Args:
        vectors: (n, D) float32, finite, D >= slice_.dim, of any length.
        slice_: dimensions and bits.
    """
    count = vectors.shape[0]
    packed = np.empty((count, slice_.code_bytes), dtype=np.uint8)
    scales = np.ones(count, dtype=np.float32)
    step = max(1, _CHUNK_VALUES // slice_.dim)
    for start in range(0, count, step):
        part = slice(start, start + step)
        packed[part], scales[part] = _encode_chunk(prefix(vectors[part], slice_.dim), slice_)
    return Codes(packed, scales)


def _encode_chunk(unit: FloatArray, slice_: Slice) -> tuple[ByteArray, FloatArray]:
    count, dim = unit.shape
    if slice_.bits in (16, 32):
        floats = unit.astype("<f2" if slice_.bits == 16 else "<f4")
        return floats.view(np.uint8).reshape(count, slice_.code_bytes), np.ones(
            count, dtype=np.float32
        )
    if slice_.bits == 8:
        scales = np.max(np.abs(unit), axis=1) / np.float32(127)
        steps = np.where(scales == 0, np.float32(1), scales)
        codes = np.rint(unit / steps[:, None]).astype(np.int8)
        return codes.view(np.uint8), scales
    return packer.pack_units(unit, slice_.bits, turns(dim))


def derive(codes: Codes, stored: Slice, slice_: Slice) -> Codes:
    """Codes of a slice from stored ones: decoded, cut to its prefix, renormalised, packed.

    Args:
        codes: n vectors at the stored slice.
        stored: 8, 16 or 32 bits.
        slice_: 1, 2, 4 or 8 bits, at most as many dimensions.
    """
    if stored.bits == 8 and slice_.bits < 8:
        # Lengths are taken off, so the scales of the stored codes do not matter.
        rows = np.ascontiguousarray(codes.packed).view(np.int8)
        return Codes(*kernel.pack_rows(rows, slice_.dim, slice_.bits, turns(slice_.dim)))
    return encode(decode(codes, stored), slice_)


def decode(codes: Codes, slice_: Slice) -> FloatArray:
    """Unpack codes to vectors.

    Returns:
        (n, slice_.dim) float32. Of unit length only as far as the precision allows: renormalise
        before comparing.
    """
    packed = np.ascontiguousarray(codes.packed)
    if slice_.bits in (16, 32):
        return packed.view("<f2" if slice_.bits == 16 else "<f4").astype(np.float32)
    if slice_.bits == 8:
        return packed.view(np.int8) * codes.scales[:, None]
    per_byte = 8 // slice_.bits
    shifts = np.arange(per_byte, dtype=np.uint8) * np.uint8(slice_.bits)
    numbers = (packed[:, :, None] >> shifts) & np.uint8((1 << slice_.bits) - 1)
    flat = numbers.reshape(packed.shape[0], slice_.code_bytes * per_byte)
    levels = LEVELS[slice_.bits][flat[:, : slice_.dim]]
    columns = unrotate_columns(np.ascontiguousarray((levels * codes.scales[:, None]).T))
    return np.ascontiguousarray(columns.T)


def gains(scales: FloatArray, slice_: Slice) -> npt.NDArray[np.uint16]:
    """A scan slice's scales as the whole numbers that the kernel multiplies by.

    round(scale * sqrt(dim) * unit), at most 65535, where unit is 65536 for 8 bits and 1024 below.

    Returns:
        (n,) uint16.
    """
    unit = _GAIN_UNIT_INT8 if slice_.bits == 8 else _GAIN_UNIT_TABLE
    whole = np.rint(scales.astype(np.float64) * (np.sqrt(slice_.dim) * unit))
    return np.asarray(np.clip(whole, 0, 65_535), dtype=np.uint16)


def rotate_query(query: FloatArray, slice_: Slice) -> FloatArray:
    """A query's prefix, turned as the codes of this slice are. Its length does not matter: the
    integers that it becomes are scaled to their range.

    Args:
        query: (D,) float32, D >= slice_.dim.
        slice_: a scan slice.

    Returns:
        (slice_.dim,) float32.
    """
    part = query[: slice_.dim]
    return part if slice_.bits == 8 else rotate_vector(part)
