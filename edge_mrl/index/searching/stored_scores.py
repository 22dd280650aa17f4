"""Cosines of a query and stored vectors. Pure numpy.

Both sides are whole numbers held as float64, small enough that every product and sum is exact. So a
score is the same on every machine, however its BLAS sums, and does not depend on which other rows
are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_mrl import kernel
from edge_mrl.index.format.codes import decode
from edge_mrl.index.format.vector_rows import Vectors, record_bytes
from edge_mrl.kernel.checked_rows import QUERY_UNIT, whole_numbers
from edge_mrl.slices import FloatArray, Slice

WideArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def record_cosines(
    records: Sequence[object], rows: IntArray, stored: Slice, query: FloatArray
) -> WideArray | None:
    """`stored_cosines` of records as they stand in the file, each checked: sooner than to unpack
    them first.

    Args:
        records: n of them.
        rows: (n,) their row numbers.
        stored: the stored slice.
        query: (dim,) float32 of unit length, at the width of the stored slice.

    Returns:
        (n,) float64; None where the kernel cannot say, because records are not of 8 bits, written
        by an older schema, or damaged.
    """
    size = record_bytes(stored)
    if stored.bits != 8:
        return None
    try:
        together = b"".join(records)  # type: ignore[arg-type]
    except TypeError:  # a number, a text or nothing at all
        return None
    if len(together) != size * rows.size or set(map(len, records)) - {size}:  # type: ignore[arg-type]
        return None
    found = kernel.row_products(together, rows, query)
    if found is None:
        return None
    cosines: WideArray = found.products / (_square_roots(found.squares) * QUERY_UNIT)
    return cosines


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
    cosines: WideArray = (rows @ whole_numbers(query)) / (lengths * QUERY_UNIT)
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
    return whole_numbers(decode(vectors.codes, vectors.slice))


def _lengths(rows: WideArray) -> WideArray:
    return _square_roots(np.einsum("ij,ij->i", rows, rows))


def _square_roots(squares: WideArray) -> WideArray:
    lengths: WideArray = np.sqrt(squares)
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
    cosines: WideArray = (whole_numbers(units) @ whole_numbers(query)) / (QUERY_UNIT * QUERY_UNIT)
    return cosines
