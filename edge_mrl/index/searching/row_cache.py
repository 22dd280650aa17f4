"""Stored vectors that were read and checked once, kept for later searches. Pure arrays.

A row number is never used again and its record never changes, so nothing here ever gets stale.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from edge_mrl import kernel
from edge_mrl.index.format.vector_rows import Vectors, unscaled
from edge_mrl.index.searching.stored_scores import WideArray, stored_cosines, stored_lengths
from edge_mrl.kernel.checked_rows import QUERY_UNIT, WIDE_BYTES
from edge_mrl.slices import FloatArray, Slice

IntArray = npt.NDArray[np.int64]


def cached_row_bytes(stored: Slice) -> int:
    """Bytes that a row takes here: its number, length and codes."""
    return 8 + 8 + stored.code_bytes


class RowCache:
    """Holds a fixed number of rows, each at the place that its number says, modulo how many there
    are: rows that follow one another never drive each other out.

    Args:
        capacity: rows held, 1 or more.
        stored: the stored slice.
        read: reads rows, given rising, from the file; raises where one is missing or damaged.
    """

    def __init__(self, capacity: int, stored: Slice, read: Callable[[IntArray], Vectors]) -> None:
        self._stored = stored
        self._read = read
        # Memory that was never written to takes none.
        self._numbers = np.zeros(capacity, dtype=np.int64)
        self._lengths = np.empty(capacity)
        self._packed = np.empty((capacity, stored.code_bytes), dtype=np.uint8)

    @property
    def capacity(self) -> int:
        """How many rows it can hold."""
        return int(self._numbers.size)

    def vectors(self, rows: IntArray) -> Vectors:
        """Vectors of some rows, from the file only where they were not read before.

        Args:
            rows: (n,) row numbers, rising, each 1 or more.
        """
        places = self._held(rows)
        if places is None:
            return self._read(rows)
        codes = unscaled(self._packed.take(places, axis=0))
        return Vectors(rows, codes, self._stored, self._lengths.take(places))

    def cosines(self, rows: IntArray, query: FloatArray) -> WideArray:
        """`stored_cosines` of some rows; those of 8 bits are multiplied where they are held.

        Args:
            rows: as in `vectors`.
            query: (dim,) float32 of unit length, at the width of the stored slice.
        """
        places = self._held(rows) if self._stored.bits == 8 else None
        if places is None:
            step = max(16, WIDE_BYTES // (8 * query.size))
            parts = [rows[at : at + step] for at in range(0, max(1, rows.size), step)]
            return np.concatenate([stored_cosines(self.vectors(part), query) for part in parts])
        products = kernel.picked_products(self._packed.view(np.int8), places, query)
        return products / (self._lengths.take(places) * QUERY_UNIT)

    def _held(self, rows: IntArray) -> npt.NDArray[np.intp] | None:
        """The places of some rows, after those that are missing were read; None where two of the
        rows share a place, so that one of them is not held."""
        # `take` wants places as wide as a pointer, which is 32 bits on some boards.
        places = (rows % self._numbers.size).astype(np.intp, copy=False)
        there = self._numbers.take(places) == rows
        if not there.all():
            found = self._read(rows[~there])
            places_found = found.rows % self._numbers.size
            self._lengths[places_found] = stored_lengths(found)
            self._packed[places_found] = found.codes.packed
            self._numbers[places_found] = found.rows
            if (self._numbers.take(places) != rows).any():
                return None
        return places
