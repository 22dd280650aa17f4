"""Cosines of a query and stored vectors. Pure numpy.

Both sides are whole numbers held as float64, small enough that every product and sum is exact. So a
score is the same on every machine, however its BLAS sums, and does not depend on which other rows
are asked for.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_mrl.index.format.codes import decode
from edge_mrl.index.format.vector_rows import Vectors
from edge_mrl.slices import FloatArray

WideArray = npt.NDArray[np.float64]

_UNIT = 2.0**24
"""A unit vector's coordinates are rounded to multiples of 1 / _UNIT, as fine as float32 is just
below 1. By Cauchy and Schwarz a sum of products with another such vector, or with 8-bit codes of up
to 65 536 dimensions, stays below 2**50."""


def stored_cosines(vectors: Vectors, query: FloatArray) -> WideArray:
    """Cosines at the stored slice.

    Args:
        vectors: n stored vectors.
        query: (dim,) float32 of unit length, at the width of the stored slice.

    Returns:
        (n,) float64; 0 for a vector of zeros.
    """
    rows = _whole_rows(vectors)
    lengths = _lengths(rows) if vectors.lengths is None else vectors.lengths
    cosines: WideArray = (rows @ _whole(query)) / (lengths * _UNIT)
    return cosines


def stored_lengths(vectors: Vectors) -> WideArray:
    """What `Vectors.lengths` holds; 1 for a vector of zeros.

    Returns:
        (n,) float64.
    """
    return _lengths(_whole_rows(vectors))


def _whole_rows(vectors: Vectors) -> WideArray:
    if vectors.slice.bits == 8:
        return vectors.codes.packed.view(np.int8).astype(np.float64)
    return _whole(decode(vectors.codes, vectors.slice))


def _lengths(rows: WideArray) -> WideArray:
    lengths: WideArray = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    lengths[lengths == 0] = 1
    return lengths


def unit_cosines(units: FloatArray, query: FloatArray) -> WideArray:
    """The same for vectors that are decoded already.

    Args:
        units: (n, dim) float32 of unit length.
        query: (dim,) float32 of unit length.

    Returns:
        (n,) float64.
    """
    cosines: WideArray = (_whole(units) @ _whole(query)) / (_UNIT * _UNIT)
    return cosines


def _whole(units: FloatArray) -> WideArray:
    wide: WideArray = np.rint(units.astype(np.float64) * _UNIT)
    return wide
