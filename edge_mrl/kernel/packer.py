"""Vectors to 1-, 2- and 4-bit codes, in numpy: the definition that a compiled kernel must equal.
Pure arithmetic; docs/index-format.md is the specification.

Codes are taken after a rotation and keep a scale for each vector that makes the dot product of a
vector with its own decoded form exactly 1, which leaves estimated dot products without bias (J. Gao
and C. Long, "RaBitQ", SIGMOD 2024, section 3.2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_mrl.kernel.quantizer import LEVELS, THRESHOLDS, ByteArray, Int8Array
from edge_mrl.kernel.stages import Turn, turned
from edge_mrl.slices import FloatArray

_CHUNK_VALUES = 1 << 18
"""Coordinates packed at once: temporaries of about a megabyte stay in cache."""


def pack_rows(
    rows: Int8Array, dim: int, bits: int, turns: Sequence[Turn]
) -> tuple[ByteArray, FloatArray]:
    """Pack vectors that are given as whole numbers; their lengths do not matter.

    Args:
        rows: (n, D) int8, D >= dim.
        dim: how many coordinates are packed, from the first on.
        bits: 1, 2 or 4.
        turns: the rotation of `dim` coordinates.

    Returns:
        (n, code_bytes) uint8 codes, the first coordinate in the lowest bits of a byte, and (n,)
        float32 scales, 0 where all coordinates are.
    """
    packed = np.empty((rows.shape[0], (dim * bits + 7) // 8), dtype=np.uint8)
    scales = np.empty(rows.shape[0], dtype=np.float32)
    step = max(1, _CHUNK_VALUES // dim)
    for start in range(0, rows.shape[0], step):
        part = slice(start, start + step)
        chunk = np.ascontiguousarray(rows[part, :dim])
        units = (chunk / lengths(chunk)[:, None]).astype(np.float32)
        packed[part], scales[part] = pack_units(units, bits, turns)
    return packed, scales


def lengths(rows: Int8Array) -> npt.NDArray[np.float64]:
    """(n, dim) int8 to (n,) float64 lengths, 1 for a row of zeros. The sums are exact."""
    squares = np.einsum("ij,ij->i", rows, rows, dtype=np.int64)
    found: npt.NDArray[np.float64] = np.sqrt(np.where(squares == 0, 1, squares))
    return found


def pack_units(units: FloatArray, bits: int, turns: Sequence[Turn]) -> tuple[ByteArray, FloatArray]:
    """Pack vectors of unit length, (n, dim) float32, a few thousand; else as `pack_rows`."""
    dim = units.shape[1]
    rotated = turned(np.ascontiguousarray(units.T), turns)
    spread = rotated * np.float32(np.sqrt(dim))
    numbers = np.zeros(rotated.shape, dtype=np.uint8)
    for threshold in THRESHOLDS[bits]:
        numbers += spread >= threshold
    levels = LEVELS[bits].astype(np.float64)
    overlap = np.zeros(units.shape[0])
    # In the order of the coordinates, so that every kernel adds up the same.
    for codes, values in zip(numbers, rotated, strict=True):
        overlap += levels[codes] * values
    zero = ~units.any(axis=1)
    scales = np.where(zero, 0.0, 1.0 / np.where(zero, 1.0, overlap)).astype(np.float32)
    return _pack(numbers, bits), scales


def _pack(numbers: ByteArray, bits: int) -> ByteArray:
    dim, count = numbers.shape
    per_byte = 8 // bits
    padded = np.zeros((-(-dim // per_byte) * per_byte, count), dtype=np.uint8)
    padded[:dim] = numbers
    columns = padded.reshape(-1, per_byte, count)
    packed = columns[:, 0].copy()
    for place in range(1, per_byte):
        packed |= columns[:, place] << np.uint8(place * bits)
    return np.ascontiguousarray(packed.T)
