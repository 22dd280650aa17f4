"""Stored vectors read during one query: each row once, however many stages look at it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.vector_rows import Vectors, record_bytes, unscaled
from edge_mrl.index.storage.store import Store

IntArray = npt.NDArray[np.int64]


class VectorPool:
    """Reads rows of the table `vectors` and keeps them until the query ends.

    Attributes:
        rows_read: how many were read from the file.
    """

    def __init__(self, store: Store, layout: IndexLayout) -> None:
        self._store = store
        self._layout = layout
        self._held: Vectors | None = None
        self.rows_read = 0

    @property
    def bytes_read(self) -> int:
        """Bytes of the records that were read from the file."""
        return self.rows_read * record_bytes(self._layout.stored)

    def vectors(self, rows: IntArray) -> Vectors:
        """Vectors of some rows. Call inside `store.read()`.

        Args:
            rows: (n,) rising.

        Raises:
            IndexFileError: one of them is missing or damaged; names the document.
        """
        stored = self._layout.stored
        held = self._held
        if held is None:
            self.rows_read += rows.size
            self._held = self._store.vectors(rows.tolist(), stored)
            return self._held
        new = np.setdiff1d(rows, held.rows, assume_unique=True)
        if new.size:
            self.rows_read += new.size
            found = self._store.vectors(new.tolist(), stored)
            merged = np.concatenate([held.rows, found.rows])
            order = np.argsort(merged)
            packed = np.concatenate([held.codes.packed, found.codes.packed])[order]
            held = self._held = Vectors(merged[order], unscaled(packed), stored)
        if rows.size == held.rows.size:
            return held
        places = np.searchsorted(held.rows, rows)
        return Vectors(rows, unscaled(held.codes.packed[places]), stored)
