"""Dense search at any slice: over all documents or those a filter keeps, and of a shortlist."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import SliceError
from edge_mrl.index.filters.row_mask import COPIED_SHARE, restricted
from edge_mrl.index.format.codes import decode, encode
from edge_mrl.index.format.layout import GAIN_BYTES, SCAN_BITS, IndexLayout
from edge_mrl.index.format.segments import Segment
from edge_mrl.index.format.vector_rows import Vectors, record_bytes
from edge_mrl.index.searching.funnel import MEASURED_K
from edge_mrl.index.searching.reread import reread
from edge_mrl.index.searching.resident import Resident
from edge_mrl.index.searching.scan_list import (
    ScanList,
    Scanned,
    estimated_cosines,
    last_full_score,
)
from edge_mrl.index.searching.searcher import Searcher
from edge_mrl.index.searching.stored_scores import WideArray, stored_cosines, unit_cosines
from edge_mrl.index.searching.streamed import Streamed, fitting, nearest_of
from edge_mrl.index.searching.vector_pool import VectorPool
from edge_mrl.index.storage.store import LARGEST_ROW, Store
from edge_mrl.retrieval.ranking import Ranking
from edge_mrl.slices import FloatArray, Slice, prefix

if TYPE_CHECKING:
    from edge_mrl.index.filters.allowed import Allowed
    from edge_mrl.index.searching.filtered_list import Shortlist
    from edge_mrl.retrieval.explain import Meter

IntArray = npt.NDArray[np.int64]

_ROWS = 8192
"""Stored rows read at once."""
_LISTS = 8
"""Filtered scan lists kept for the next query."""


class Dense:
    """Searches the vectors of one store. Its methods are called inside `store.read()`."""

    def __init__(
        self, store: Store, layout: IndexLayout, searcher: Searcher, budget: int | None
    ) -> None:
        self._store = store
        self._layout = layout
        self._searcher = searcher
        self._budget = budget
        self._derived: OrderedDict[Slice, Resident | Streamed] = OrderedDict()
        self._lists: OrderedDict[tuple[Slice, str], ScanList] = OrderedDict()
        self._stamp = (-1, -1)

    def check(self, slice_: Slice) -> Slice:
        """Whether vectors of this slice can be cut from the stored ones.

        Raises:
            SliceError: it needs more dimensions or bits than are stored.
        """
        stored = self._layout.stored
        if slice_.dim > stored.dim or slice_.bits > stored.bits:
            raise SliceError(
                f"the slice {slice_} cannot be cut from stored vectors of {stored}: choose at "
                f"most {stored.dim} dimensions and {stored.bits} bits"
            )
        return slice_

    def funnel(
        self, vector: FloatArray, k: int, allowed: Allowed | None = None, threads: int = 1
    ) -> Ranking:
        """The best k by the index's own stages; `threads` share a long scan of all documents."""
        if allowed is None:
            return self._searcher.funnel(vector, k, threads)
        return self._best(self._shortlist(vector, k, allowed).rows, vector, k, allowed)

    def shortlist(self, vector: FloatArray, k: int, allowed: Allowed | None) -> Shortlist:
        """What is read of all rows, or of those that a filter keeps: all of them, if they are
        few."""
        before = self._bytes_read()
        found = self._shortlist(vector, k, allowed)
        return found._replace(bytes_read=self._bytes_read() - before)

    def _bytes_read(self) -> int:
        """What searches by the index's own codes have read of the file so far."""
        codes = self._searcher.codes()
        streamed = codes.bytes_read if isinstance(codes, Streamed) else 0
        return streamed + self._searcher.rows_read * record_bytes(self._layout.stored)

    def _shortlist(self, vector: FloatArray, k: int, allowed: Allowed | None) -> Shortlist:
        from edge_mrl.index.searching.filtered_list import WIDER, Shortlist, filtered_list

        if allowed is None:
            return Shortlist(self._searcher.worth_reading(vector, k), self._searcher.shortlists(k))
        keeps, count = self._searcher.shortlists(k), allowed.rows.size
        if count <= keeps[0]:
            return Shortlist(allowed.rows, None)
        rank = max(k, MEASURED_K)
        few = count * COPIED_SHARE < self._searcher.codes().alive
        return filtered_list(
            lambda longer: self._search(vector, self._layout, longer, allowed),
            lambda found: last_full_score(found.factor, vector, self._layout),
            lambda rows: self._best(rows, vector, rank, allowed),
            keeps,
            rank,
            count,
            self._searcher.margin() * (WIDER if few else 1),
        )

    def _best(self, rows: IntArray, vector: FloatArray, limit: int, allowed: Allowed) -> Ranking:
        """The best of rows that a filter keeps, at the stored slice."""
        return reread(
            self._layout.stored,
            rows,
            limit,
            lambda part: self._searcher.cosines(part, vector, allowed.rows.size),
        )

    def funnel_many(
        self, vectors: FloatArray, k: int, threads: int, allowed: Allowed | None = None
    ) -> list[Ranking]:
        """`funnel` for each of (m, stored dim) vectors, shared by some threads where it can be."""
        if allowed is None:
            return self._searcher.funnel_many(vectors, k, threads)
        return [self.funnel(vector, k, allowed) for vector in vectors]

    def refined(
        self, vector: FloatArray, keeps: Sequence[int], allowed: Allowed | None, meter: Meter
    ) -> Ranking:
        """What the index's finer codes keep of its own scan; their scores have no unit."""
        assert self._layout.refine is not None
        found = self._search(vector, self._layout, keeps, allowed)
        meter.count(keeps[0], keeps[0] * (self._layout.refine.code_bytes + GAIN_BYTES))
        return Ranking(found.rows, found.scores.astype(np.float64))

    def nearest(
        self,
        vector: FloatArray,
        slice_: Slice,
        limit: int,
        allowed: Allowed | None,
        meter: Meter,
    ) -> Ranking:
        """The best by one slice alone: by its codes up to 8 bits, by the stored rows above or where
        it is the stored slice."""
        few = allowed is not None and allowed.rows.size <= limit
        if not few and slice_.bits in SCAN_BITS and slice_ != self._layout.stored:
            return self.scanned(vector, slice_, limit, allowed, meter)
        count = self._store.count() if allowed is None else allowed.rows.size
        before = self._searcher.rows_read
        found = self.exact(vector, slice_, limit, allowed)
        read = count if allowed is None else self._searcher.rows_read - before
        meter.count(count, count * slice_.nbytes, read * record_bytes(self._layout.stored))
        return found

    def scanned(
        self,
        vector: FloatArray,
        slice_: Slice,
        keep: int,
        allowed: Allowed | None,
        meter: Meter,
    ) -> Ranking:
        """The best by the codes of a slice of 1, 2, 4 or 8 bits, by the cosines they estimate."""
        own = slice_ == self._layout.scan
        layout = self._layout if own else IndexLayout(self._layout.stored, slice_)
        codes = self._codes(layout)
        before = codes.bytes_read if isinstance(codes, Streamed) else 0
        found = self._search(vector, layout, (keep,), allowed)
        count = codes.alive if allowed is None else allowed.rows.size
        read = codes.bytes_read - before if isinstance(codes, Streamed) else 0
        meter.count(count, count * (slice_.code_bytes + GAIN_BYTES), read)
        estimated = estimated_cosines(found, vector, slice_)
        return Ranking(found.rows, estimated.astype(np.float64))

    def _search(
        self,
        vector: FloatArray,
        layout: IndexLayout,
        keeps: Sequence[int],
        allowed: Allowed | None,
    ) -> Scanned:
        """The best by the codes of a layout, as many stages as there are `keeps`."""
        codes = self._codes(layout)
        if not isinstance(codes, Streamed):
            return self._scan_list(codes, layout, allowed).nearest(vector, keeps)
        segments: Iterable[Segment] = codes.segments()
        if allowed is not None:
            segments = restricted(segments, allowed.rows, layout)
        if len(keeps) == 1:
            layout = IndexLayout(layout.stored, layout.scan)
        return nearest_of(layout, segments, vector, keeps)

    def exact(
        self, vector: FloatArray, slice_: Slice, limit: int, allowed: Allowed | None = None
    ) -> Ranking:
        """The best of all stored rows, compared one by one at a slice."""
        if allowed is not None:
            return self.rescore(vector, slice_, allowed.rows, limit)
        best = Ranking.empty()
        last = 0
        while True:
            found = self._store.vectors_after(last, LARGEST_ROW, _ROWS, self._layout.stored)
            if not found.rows.size:
                return best
            last = int(found.rows[-1])
            scores = self._cosines(found, vector, slice_)
            best = _better(best, Ranking.of(found.rows, scores, limit), limit)

    def rescore(
        self,
        vector: FloatArray,
        slice_: Slice,
        rows: IntArray,
        limit: int,
        pool: VectorPool | None = None,
    ) -> Ranking:
        """The best of some rows by their cosines at a slice.

        Args:
            vector: (stored dim,) float32 of unit length.
            slice_: at most the stored one.
            rows: row numbers, rising.
            limit: how many are kept.
            pool: holds rows that the query has read already.
        """
        if not rows.size:
            return Ranking.empty()
        if pool is not None:
            return Ranking.of(rows, self._cosines(pool.vectors(rows), vector, slice_), limit)
        return reread(
            self._layout.stored, rows, limit, lambda part: self._read_cosines(part, vector, slice_)
        )

    def _read_cosines(self, rows: IntArray, vector: FloatArray, slice_: Slice) -> WideArray:
        if slice_ == self._layout.stored:
            return self._searcher.cosines(rows, vector)
        return self._cosines(self._searcher.vectors(rows), vector, slice_)

    def _cosines(self, vectors: Vectors, vector: FloatArray, slice_: Slice) -> WideArray:
        stored = self._layout.stored
        if slice_ == stored:
            return stored_cosines(vectors, vector)
        units = vectors.units
        if slice_.dim < stored.dim:
            vector = prefix(vector[None, :], slice_.dim)[0]
            units = prefix(units, slice_.dim)
        if slice_.bits < stored.bits:
            units = prefix(decode(encode(units, slice_), slice_), slice_.dim)
        return unit_cosines(units, vector)

    def _codes(self, layout: IndexLayout) -> Resident | Streamed:
        """The codes of a layout, in step with the file; those of other slices than the index's own
        are made from the stored rows and held as far as the budget allows."""
        own = self._searcher.codes()
        if layout == self._layout:
            return own
        held = self._derived.pop(layout.scan, None) or Resident(layout)
        left = None
        if self._budget is not None:
            left = max(0, self._budget - own.nbytes - self.nbytes)
        held = fitting(held, self._store, layout, left)
        held.sync(self._store)
        # These codes are of another slice than the file keeps.
        held.repairs.clear()
        self._derived[layout.scan] = held
        return held

    def _scan_list(self, codes: Resident, layout: IndexLayout, allowed: Allowed | None) -> ScanList:
        if codes.stamp != self._stamp:
            self._lists.clear()
            self._stamp = codes.stamp
        name = (layout.scan, "" if allowed is None else allowed.name)
        if name not in self._lists:
            segments: Iterable[Segment] = codes.segments()
            if allowed is not None:
                segments = restricted(segments, allowed.rows, layout)
            self._lists[name] = ScanList(layout, segments)
        self._lists.move_to_end(name)
        while len(self._lists) > _LISTS:
            self._lists.popitem(last=False)
        return self._lists[name]

    @property
    def nbytes(self) -> int:
        """Bytes of codes held for slices that the file does not keep."""
        return sum(held.nbytes for held in self._derived.values())


def _better(a: Ranking, b: Ranking, limit: int) -> Ranking:
    return Ranking.of(np.concatenate([a.rows, b.rows]), np.concatenate([a.scores, b.scores]), limit)
