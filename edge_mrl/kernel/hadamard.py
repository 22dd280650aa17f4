"""The Walsh-Hadamard transform in numpy: float32 additions in a fixed order, so that every kernel
gives the same bits. Pure arithmetic; docs/index-format.md specifies it."""

from __future__ import annotations

import numpy as np

from edge_mrl.slices import FloatArray


def hadamard(columns: FloatArray) -> FloatArray:
    """Transform along axis 0, unnormalised, in the order of butterflies 1, 2, 4, ...

    Args:
        columns: (power of two, n) float32; may be overwritten.

    Returns:
        (power of two, n) float32.
    """
    size, count = columns.shape
    current, other = columns, np.empty_like(columns)
    half = 1
    while half < size:
        source = current.reshape(size // (2 * half), 2, half, count)
        target = other.reshape(size // (2 * half), 2, half, count)
        np.add(source[:, 0], source[:, 1], out=target[:, 0])
        np.subtract(source[:, 0], source[:, 1], out=target[:, 1])
        current, other = other, current
        half *= 2
    return current


def turn(columns: FloatArray, signs: FloatArray) -> FloatArray:
    """One pass of the rotation: signs, transform, division by the root of the size.

    Args:
        columns: (p, n) float32, p a power of two.
        signs: (p,) float32, each 1 or -1.

    Returns:
        (p, n) float32, a new array.
    """
    return hadamard(columns * signs[:, None]) * factor(signs.size)


def factor(size: int) -> np.float32:
    """What keeps lengths: float32(1 / sqrt(size))."""
    return np.float32(1 / np.sqrt(size))
