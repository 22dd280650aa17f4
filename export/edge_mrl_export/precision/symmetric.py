"""Symmetric 8-bit quantisation of a matrix, with one scale per row or column. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_mrl.slices import FloatArray

LEVELS = 127
"""Codes run from -127 to 127: without -128 the grid is symmetric and no zero point is needed."""

ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class QuantizedMatrix:
    """value = code * scale: `codes` (r, c) int8, `scales` (r,) or (c,) float32 or float16."""

    codes: npt.NDArray[np.int8]
    scales: npt.NDArray[np.floating]


def quantize(matrix: FloatArray, axis: int, *, short_scales: bool = False) -> QuantizedMatrix:
    """Quantise with one scale for each place along `axis`.

    Args:
        matrix: (r, c) float32, finite.
        axis: 0 for a scale per row, 1 for a scale per column.
        short_scales: whether scales may be float16, which moves a number by a sixteenth of a step
            at most. They are where all of them are normal numbers there.

    Returns:
        Codes of the same shape, and r or c scales; rows or columns of zeros, or of numbers too
        small for a scale that is a normal float32, get codes 0 and the scale 1.
    """
    highest = matrix.max(axis=1 - axis, keepdims=True)
    lowest = matrix.min(axis=1 - axis, keepdims=True)
    peaks = np.maximum(highest, -lowest)
    vanishing = peaks < LEVELS * np.finfo(np.float32).tiny
    scales = np.where(vanishing, 1, peaks / LEVELS).astype(np.float32)
    codes = np.empty(matrix.shape, dtype=np.int8)
    # In parts: an embedding table may have half a gigabyte.
    for start in range(0, len(matrix), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        steps = matrix[rows] / (scales[rows] if axis == 0 else scales)
        codes[rows] = np.clip(np.rint(steps, out=steps), -LEVELS, LEVELS, out=steps)
    half = np.finfo(np.float16)
    if short_scales and scales.min() >= half.smallest_normal and scales.max() <= half.max:
        return QuantizedMatrix(codes, scales.astype(np.float16).reshape(-1))
    return QuantizedMatrix(codes, scales.reshape(-1))
