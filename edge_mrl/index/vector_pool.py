"""Stored vectors read during one query: each row once, however many stages look at it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_mrl.index.layout import IndexLayout
from edge_mrl.index.store import Store
from edge_mrl.index.vector_rows import record_bytes
from edge_mrl.slices import FloatArray

IntArray = npt.NDArray[np.int64]


class VectorPool:
    """Reads rows of the table `vectors` and keeps them until the query ends.

    Attributes:
        rows_read: how many were read from the file.
    """

    def __init__(self, store: Store, layout: IndexLayout) -> None:
        self._store = store
        self._layout = layout
        self._rows = np.empty(0, dtype=np.int64)
        self._units = np.empty((0, layout.stored.dim), dtype=np.float32)
        self.rows_read = 0

    @property
    def bytes_read(self) -> int:
        """Bytes of the records that were read from the file."""
        return self.rows_read * record_bytes(self._layout.stored)

    def units(self, rows: IntArray) -> FloatArray:
        """Vectors of some rows. Call inside `store.read()`.

        Args:
            rows: (n,) rising.

        Returns:
            (n, stored dim) float32 of unit length.

        Raises:
            IndexFileError: one of them is missing or damaged; names the document.
        """
        new = np.setdiff1d(rows, self._rows, assume_unique=True)
        if new.size:
            found = self._store.vectors(new.tolist(), self._layout.stored)
            self.rows_read += new.size
            if not self._rows.size:
                self._rows, self._units = found.rows, found.units
            else:
                merged = np.concatenate([self._rows, found.rows])
                order = np.argsort(merged)
                self._rows = merged[order]
                self._units = np.concatenate([self._units, found.units])[order]
        if rows.size == self._rows.size:
            return self._units
        chosen: FloatArray = self._units[np.searchsorted(self._rows, rows)]
        return chosen
