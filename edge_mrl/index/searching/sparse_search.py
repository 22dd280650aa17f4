"""Dot products with sparse vectors, by inverted lists."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import InputError
from edge_mrl.index.companions import sparse
from edge_mrl.index.format.sparse_records import SparseList, turned
from edge_mrl.index.storage.schema_sql import DELETED
from edge_mrl.index.storage.store import Store
from edge_mrl.retrieval.explain import Meter
from edge_mrl.retrieval.ranking import Ranking
from edge_mrl.retrieval.sparse_vector import SparseVector

IntArray = npt.NDArray[np.int64]


class SparseSearch:
    """Searches the sparse vectors of one store. Called inside `store.read()`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stamp = (-1, -1)
        self._tail: dict[int, SparseList] = {}
        self._dead = np.empty(0, dtype=np.int64)

    def nearest(
        self,
        query: SparseVector,
        limit: int,
        rows: IntArray | None = None,
        meter: Meter | None = None,
    ) -> Ranking:
        """The best documents that share a dimension with the query, by their dot product.

        Args:
            query: what is looked for.
            limit: how many are kept.
            rows: the only rows that may be returned, rising; None for all.
            meter: what was read is counted here.

        Raises:
            InputError: the index has no sparse vectors.
            IndexFileError: a list is damaged.
        """
        if not sparse.present(self._store):
            raise InputError(
                f"{self._store.path} has no sparse vectors: give them to add as sparse=[...]"
            )
        self._sync()
        found: list[IntArray] = []
        products: list[npt.NDArray[np.float64]] = []
        for dimension, weight in zip(query.indices.tolist(), query.values.tolist(), strict=True):
            lists = sparse.lists_of(self._store, dimension)
            if dimension in self._tail:
                lists.append(self._tail[dimension])
            for part in lists:
                found.append(part.rows)
                products.append(part.values.astype(np.float64) * weight)
        if not found:
            return Ranking.empty()
        touched = np.concatenate(found)
        if meter is not None:
            meter.count(touched.size, 8 * touched.size, 8 * touched.size)
        first = int(touched.min())
        scores = np.bincount(touched - first, np.concatenate(products))
        met = np.zeros(scores.size, dtype=np.bool_)
        met[touched - first] = True
        candidates = np.flatnonzero(met) + first
        candidates = candidates[~np.isin(candidates, self._dead)]
        if rows is not None:
            candidates = np.intersect1d(candidates, rows, assume_unique=True)
        return Ranking.of(candidates, scores[candidates - first], limit)

    def _sync(self) -> None:
        """Turn the vectors that are in no list yet, if the file has changed."""
        stamp = self._store.change_stamp()
        if stamp == self._stamp:
            return
        tail = sparse.vectors_after(self._store, sparse.packed_until(self._store))
        self._tail = {made.dimension: made for made in turned(*tail)}
        deleted = self._store.connection.execute(DELETED)
        self._dead = np.fromiter((row for (row,) in deleted), dtype=np.int64)
        self._stamp = stamp
