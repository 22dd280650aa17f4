"""A fixed rotation that spreads a vector's energy evenly over its coordinates. Pure arithmetic.

Few-bit codes lose least on coordinates that are alike and roughly normal; multiplying by random
signs and a Walsh-Hadamard matrix makes them so, and keeps every dot product (N. Ailon and B.
Chazelle, "The Fast Johnson-Lindenstrauss Transform", SIAM J. Comput. 39, 2009).
docs/index-format.md specifies it to the last bit: float32 additions in a fixed order, so that any
implementation gives the same codes.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from edge_mrl import kernel
from edge_mrl.kernel import hadamard
from edge_mrl.kernel.stages import Turn, turned
from edge_mrl.slices import FloatArray

_SEED = 0x656467656D726C31
"""The bytes of "edgemrl1"."""
_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_WORDS_PER_PASS = 1024
"""65536 coordinates, the widest vector, at 64 signs a word."""


def splitmix64(number: int) -> int:
    """Output `number` (0, 1, ...) of the generator splitmix64 started at the seed of this file
    format.

    Source: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA
    2014.
    """
    z = (_SEED + (number + 1) * _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


@lru_cache(maxsize=64)
def _signs(pass_number: int, size: int) -> FloatArray:
    words = [splitmix64(pass_number * _WORDS_PER_PASS + word) for word in range((size + 63) // 64)]
    raw = np.array(words, dtype="<u8").view(np.uint8)
    bits = np.unpackbits(raw, bitorder="little")[:size]
    signs = np.where(bits, np.float32(-1), np.float32(1)).astype(np.float32)
    signs.flags.writeable = False
    return signs


@lru_cache(maxsize=64)
def turns(dim: int) -> tuple[Turn, ...]:
    """The passes of the rotation of `dim` coordinates."""
    size = 1 << (dim.bit_length() - 1)
    # Two overlapping blocks, twice: each coordinate then holds a share of every other.
    parts = [(0, dim)] if size == dim else [(0, size), (dim - size, dim)] * 2
    return tuple(
        Turn(start, stop, _signs(number, stop - start))
        for number, (start, stop) in enumerate(parts)
    )


def rotate_columns(columns: FloatArray) -> FloatArray:
    """Rotate vectors that stand as columns.

    Args:
        columns: (dim, n) float32.

    Returns:
        (dim, n) float32, a new array; lengths and dot products are kept.
    """
    return turned(columns, turns(columns.shape[0]))


def rotate_vector(vector: FloatArray) -> FloatArray:
    """Rotate one vector, (dim,) float32; the same bits as `rotate_columns`, sooner."""
    result = vector.copy()
    for turn in turns(vector.size):
        result[turn.start : turn.stop] = kernel.turn(result[turn.start : turn.stop], turn.signs)
    return result


def unrotate_columns(columns: FloatArray) -> FloatArray:
    """Undo `rotate_columns`: (dim, n) float32 to (dim, n) float32."""
    result = columns.copy()
    for turn in reversed(turns(columns.shape[0])):
        size = turn.stop - turn.start
        block = hadamard.hadamard(result[turn.start : turn.stop].copy()) * hadamard.factor(size)
        result[turn.start : turn.stop] = block * turn.signs[:, None]
    return result
