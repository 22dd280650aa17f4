"""The funnel at work: scan the codes in memory, reread the shortlist at the stored precision, keep
the best."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import IndexFileError
from edge_mrl.index import segment_store
from edge_mrl.index.funnel import Measurement, is_due, shortlists_for
from edge_mrl.index.layout import IndexLayout
from edge_mrl.index.measuring import LEAST_DOCUMENTS, measure
from edge_mrl.index.resident import Resident
from edge_mrl.index.store import Store
from edge_mrl.index.streamed import Streamed, fitting
from edge_mrl.index.vector_rows import cosines
from edge_mrl.slices import FloatArray


@dataclass(frozen=True, slots=True)
class Found:
    """A row that answers a query."""

    row: int
    score: float


class Searcher:
    """Searches one store; holds the scan codes in memory, as far as the budget allows."""

    def __init__(self, store: Store, layout: IndexLayout, memory_budget: int | None = None) -> None:
        self._store = store
        self._layout = layout
        self._budget = memory_budget
        self._resident: Resident | Streamed = Resident(layout)
        self._measured: tuple[tuple[int, int], Measurement | None] | None = None

    def _sync(self) -> None:
        self._resident = fitting(self._resident, self._store, self._layout, self._budget)
        self._resident.sync(self._store)

    def funnel(self, vector: FloatArray, k: int) -> list[Found]:
        """The best k of the shortlist. Call inside `store.read()`.

        Args:
            vector: (stored dim,) float32 of unit length.
            k: 1 or more.
        """
        keeps = self.shortlists(k)
        if not self._resident.alive:
            return []
        rows = self._resident.nearest(vector, keeps)
        found = self._store.vectors(rows.tolist(), self._layout.stored)
        return _best(found.rows, cosines(found.units, vector), k)

    def codes(self) -> Resident | Streamed:
        """The codes, in step with the file. Call inside `store.read()`."""
        self._sync()
        return self._resident

    def shortlists(self, k: int) -> tuple[int, ...]:
        """How many candidates each stage in memory hands on for k hits. Call inside
        `store.read()`."""
        self._sync()
        measured = self._measurement_at(self._resident.stamp)
        return tuple(shortlists_for(measured, self._layout, self._resident.alive, k))

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
        with self._store.read():
            measured = measure(self._store, self._layout)
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
        """Bytes held in memory between searches. Call inside `store.read()`."""
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


def _best(rows: npt.NDArray[np.int64], scores: FloatArray, k: int) -> list[Found]:
    """The k best of rows that stand in rising order; equal scores keep that order."""
    order = np.argsort(-scores, kind="stable")[:k]
    return [
        Found(row, score)
        for row, score in zip(rows[order].tolist(), scores[order].tolist(), strict=True)
    ]
