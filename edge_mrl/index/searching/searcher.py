"""The funnel at work: scan the codes in memory, reread the shortlist at the stored precision, keep
the best."""

from __future__ import annotations

import os
from contextlib import suppress
from math import inf

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import IndexFileError
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.vector_rows import Vectors
from edge_mrl.index.searching.funnel import (
    LEAST_DOCUMENTS,
    MEASURED_K,
    Measurement,
    is_due,
    shortlists_for,
)
from edge_mrl.index.searching.margin import within
from edge_mrl.index.searching.reread import reread
from edge_mrl.index.searching.resident import Resident
from edge_mrl.index.searching.row_cache import RowCache, cached_row_bytes
from edge_mrl.index.searching.scan_list import Scanned, last_full_score
from edge_mrl.index.searching.stored_scores import WideArray, record_cosines, stored_cosines
from edge_mrl.index.searching.streamed import Streamed, fitting
from edge_mrl.index.storage import segment_store
from edge_mrl.index.storage.store import Store
from edge_mrl.retrieval.ranking import Ranking
from edge_mrl.slices import FloatArray

IntArray = npt.NDArray[np.int64]

CACHE_BYTES = 4 << 20
"""Of stored rows, where no plan says otherwise; held only where all of the index fit: 15 000
documents of 256 dimensions. Of 100 000 documents as many rows, taken as they come, would spare a
search a quarter of its reads. Of a larger index the rows of filters are held that keep few."""

_HELD_SHARE = 4
"""Rows of a filter are held where so many such filters fit: few rows share a place then."""


class Searcher:
    """Searches one store; holds the scan codes in memory, as far as the budget allows.

    Attributes:
        cache_bytes: what stored rows may take that are held in memory, within the budget.
        rows_read: how many stored rows were read from the file so far.
    """

    def __init__(self, store: Store, layout: IndexLayout, memory_budget: int | None = None) -> None:
        self._store = store
        self._layout = layout
        self._budget = memory_budget
        self.cache_bytes = CACHE_BYTES
        self._resident: Resident | Streamed = Resident(layout)
        self._measured: tuple[tuple[int, int], Measurement | None] | None = None
        self._lists: dict[int, tuple[int, ...]] = {}
        self._cache: RowCache | None = None
        self._filtered: RowCache | None = None
        self._searches = self._reread_rows = 0
        self.rows_read = 0

    def _sync(self) -> None:
        if self._store.change_stamp() == self._resident.stamp:
            return
        self._resident = fitting(self._resident, self._store, self._layout, self._budget)
        self._resident.sync(self._store)
        self._lists.clear()
        self._fit_cache()

    def _fit_cache(self) -> None:
        """Hold stored rows, if all of them fit into what the codes leave of the budget; otherwise
        only those of filters that keep few."""
        room = self.cache_bytes
        if isinstance(self._resident, Streamed):
            room = 0
        elif self._budget is not None:
            room = min(room, max(0, self._budget - self._resident.nbytes))
        rows = room // cached_row_bytes(self._layout.stored)
        whole = 0 < self._resident.alive <= rows
        self._cache = self._fitted(self._cache, rows if whole else 0)
        self._filtered = self._fitted(self._filtered, 0 if whole else rows)

    def _fitted(self, cache: RowCache | None, rows: int) -> RowCache | None:
        if not rows:
            return None
        if cache is None or cache.capacity > rows:
            return RowCache(rows, self._layout.stored, self._read)
        return cache

    def _cache_for(self, filtered: int | None) -> RowCache | None:
        """What holds the rows of a search.

        Args:
            filtered: how many rows its filter keeps; None without one.
        """
        cache = self._filtered
        if cache is None or filtered is None or filtered * _HELD_SHARE > cache.capacity:
            return self._cache
        return cache

    def _read(self, rows: IntArray) -> Vectors:
        self.rows_read += rows.size
        return self._store.vectors(rows.tolist(), self._layout.stored)

    def vectors(self, rows: IntArray) -> Vectors:
        """Stored vectors, from memory where they are held. Call inside `store.read()`.

        Args:
            rows: row numbers, rising.

        Raises:
            IndexFileError: one of them is missing or damaged; names the document.
        """
        return self._read(rows) if self._cache is None else self._cache.vectors(rows)

    def cosines(self, rows: IntArray, vector: FloatArray, filtered: int | None = None) -> WideArray:
        """Cosines of a query and stored vectors. Call inside `store.read()`.

        Args:
            rows: (n,) row numbers, rising.
            vector: (stored dim,) float32 of unit length.
            filtered: how many rows the search's filter keeps; None without one.

        Returns:
            (n,) float64.

        Raises:
            IndexFileError: a row is missing or damaged; names the document.
        """
        cache = self._cache_for(filtered)
        if cache is not None:
            return cache.cosines(rows, vector)
        numbers, stored = rows.tolist(), self._layout.stored
        self.rows_read += rows.size
        records = self._store.records(numbers)
        cosines = record_cosines(records, rows, stored, vector)
        if cosines is not None:
            return cosines
        return stored_cosines(self._store.unpacked(numbers, records, stored), vector)

    def funnel(self, vector: FloatArray, k: int, threads: int = 1) -> Ranking:
        """The best k of the shortlist. Call inside `store.read()`.

        Args:
            vector: (stored dim,) float32 of unit length.
            k: 1 or more.
            threads: how many share a long scan in memory.
        """
        keeps = self.shortlists(k)
        if not self._resident.alive:
            return Ranking.empty()
        if threads > 1:
            threads = min(threads, os.cpu_count() or 1)
        return self._reread(vector, self._resident.nearest(vector, keeps, threads), k)

    def funnel_many(self, vectors: FloatArray, k: int, threads: int) -> list[Ranking]:
        """`funnel` for each of (m, stored dim) vectors; `threads` share the scans in memory."""
        keeps = self.shortlists(k)
        if not self._resident.alive:
            return [Ranking.empty() for _ in vectors]
        if isinstance(self._resident, Streamed):
            return [self.funnel(vector, k) for vector in vectors]
        threads = min(threads, os.cpu_count() or 1)
        found = self._resident.nearest_many(vectors, keeps, threads)
        return [self._reread(vector, rows, k) for vector, rows in zip(vectors, found, strict=True)]

    def margin(self) -> float:
        """How far below the best estimated cosines a row may lie that is worth reading; infinite
        where nothing was measured."""
        measured = self._measurement_at(self._resident.stamp)
        return inf if measured is None or measured.margin is None else measured.margin

    def worth_reading(self, vector: FloatArray, k: int) -> IntArray:
        """The rows that `funnel` compares in the file, in any order. Call inside `store.read()`."""
        keeps = self.shortlists(k)
        if not self._resident.alive:
            return np.empty(0, dtype=np.int64)
        return self._near(vector, self._resident.nearest(vector, keeps, 1), k)

    def _near(self, vector: FloatArray, found: Scanned, k: int) -> IntArray:
        margin = self.margin()
        if margin == inf:
            return found.rows
        width = margin * last_full_score(found.factor, vector, self._layout)
        return found.rows[: within(found.scores, max(k, MEASURED_K), width)]

    def _reread(self, vector: FloatArray, found: Scanned, k: int) -> Ranking:
        rows = self._near(vector, found, k)
        self._searches += 1
        self._reread_rows += rows.size
        return reread(self._layout.stored, rows, k, lambda part: self.cosines(part, vector))

    @property
    def rows_reread(self) -> float | None:
        """How many rows of its shortlist a search has reread so far, on average; None before the
        first."""
        return self._reread_rows / self._searches if self._searches else None

    def codes(self) -> Resident | Streamed:
        """The codes, in step with the file. Call inside `store.read()`."""
        self._sync()
        return self._resident

    def shortlists(self, k: int) -> tuple[int, ...]:
        """How many candidates each stage in memory hands on for k hits. Call inside
        `store.read()`."""
        self._sync()
        if k not in self._lists:
            measured = self._measurement_at(self._resident.stamp)
            self._lists[k] = shortlists_for(measured, self._layout, self._resident.alive, k)
        return self._lists[k]

    def measurement(self) -> Measurement | None:
        """The measured shortlist in the file. Call inside `store.read()`."""
        return self._measurement_at(self._store.change_stamp())

    def _measurement_at(self, stamp: tuple[int, int]) -> Measurement | None:
        """It is read again only after the file has changed."""
        if self._measured is None or self._measured[0] != stamp:
            text = self._store.fact("shortlist")
            where = f"{self._store.path}: the measured shortlist"
            self._measured = (stamp, None if text is None else Measurement.from_json(text, where))
        return self._measured[1]

    def measure(self, *, wait: bool = True) -> None:
        """Measure the shortlist and write it; `wait` for another writer, or fail at once."""
        from edge_mrl.heap import give_back
        from edge_mrl.index.searching.measuring import measure

        with self._store.read():
            measured = measure(self._store, self._layout)
        # A sample leaves holes of 12 MB in the heap, beside which what is added next would stand.
        give_back()
        if measured is not None:
            with self._store.write(wait=wait):
                self._store.set_fact("shortlist", measured.to_json())

    def measure_if_due(self) -> None:
        """Measure where the index has grown so far that the last measurement says little. What was
        added is stored already, so a file that fails now only delays it."""
        with suppress(IndexFileError):
            with self._store.read():
                due = is_due(self.measurement(), self._store.count(), least=LEAST_DOCUMENTS)
            if due:
                self.measure(wait=False)

    def resident_bytes(self) -> int:
        """Bytes of codes held in memory between searches. Call inside `store.read()`."""
        self._sync()
        return self._resident.nbytes

    def keep_repairs(self) -> None:
        """Write segments that had to be made again. They are derived, so a busy or full disk only
        delays it."""
        repairs, self._resident.repairs = self._resident.repairs, []
        if not repairs or not self._store.writable:
            return
        try:
            with self._store.write(wait=False):
                current = segment_store.heads(self._store, self._layout)
                for repair in repairs:
                    if repair.head in current:
                        segment_store.replace(self._store, repair.head, repair.made, self._layout)
        except IndexFileError:
            self._resident.repairs = repairs
