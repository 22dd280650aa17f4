"""What of an index is held in memory: the packed codes of all rows, kept in step with the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl import kernel
from edge_mrl.index.format import segments
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segments import Segment
from edge_mrl.index.format.stages import stage_list
from edge_mrl.index.searching.row_numbers import RowNumbers
from edge_mrl.index.searching.scan_list import Scanned
from edge_mrl.index.storage import segment_store
from edge_mrl.index.storage.segment_reading import load_all
from edge_mrl.index.storage.segment_store import SegmentHead
from edge_mrl.index.storage.store import LARGEST_ROW, Store
from edge_mrl.slices import FloatArray

IntArray = npt.NDArray[np.int64]

_NEVER = (-1, -1)
"""No file has this change stamp."""


class Repair(NamedTuple):
    """A segment that had to be made again and is not in the file yet."""

    head: SegmentHead
    made: list[Segment]


class Resident:
    """The codes in memory: the file's segments, and a tail of rows that are in none yet.

    Attributes:
        stamp: the file's change stamp at the last `sync`.
        repairs: segments that had to be made again.
    """

    def __init__(self, layout: IndexLayout) -> None:
        self._layout = layout
        self.stamp = _NEVER
        self.repairs: list[Repair] = []
        self._forget(epoch=-1)

    def _forget(self, epoch: int) -> None:
        self._epoch = epoch
        self._loaded: dict[SegmentHead, list[Segment]] = {}
        self._tail: Segment | None = None
        self._dead = np.empty(0, dtype=np.int64)
        self._last_deletion = 0
        self._hold([])

    def _hold(self, held: list[Segment]) -> None:
        """What a scan needs to know of the segments, looked up once for many scans."""
        self._segments = held
        blocks = [segment.block for segment in held]
        self._stages = stage_list(self._layout, held)
        self._numbers = RowNumbers(held)
        self._alive = sum(
            b.rows if b.alive is None else int(np.count_nonzero(b.alive)) for b in blocks
        )

    @property
    def nbytes(self) -> int:
        """Bytes held for codes, gains and row numbers."""
        return sum(segment.nbytes for segment in self._segments)

    @property
    def alive(self) -> int:
        """Rows that a scan can return."""
        return self._alive

    def sync(self, store: Store) -> None:
        """Load what has changed in the file. Call inside `store.read()`.

        Raises:
            IndexFileError: a stored vector that is needed is damaged; names the document.
        """
        stamp = store.change_stamp()
        if stamp == self.stamp:
            return
        try:
            self._follow(store)
        except BaseException:
            # Deletions that are known by now may be missing in what is held.
            self._forget(epoch=-1)
            raise
        self.stamp = stamp

    def _follow(self, store: Store) -> None:
        epoch = store.whole_number("epoch")
        if epoch != self._epoch:
            self._forget(epoch)
        fresh = self._read_deletions(store)
        heads = segment_store.heads(store, self._layout)
        self._loaded = self._kept_and_loaded(store, heads, fresh)
        self._extend_tail(store, max((head.last_row for head in heads), default=0), fresh)
        tail = [] if self._tail is None else [self._tail]
        self._hold([segment for made in self._loaded.values() for segment in made] + tail)

    def _read_deletions(self, store: Store) -> IntArray:
        found = store.connection.execute(
            "SELECT number, row FROM deletions WHERE number > ? AND typeof(row) = 'integer' "
            "ORDER BY number",
            (self._last_deletion,),
        ).fetchall()
        fresh = np.array([row for _, row in found], dtype=np.int64)
        if found:
            self._last_deletion = found[-1][0]
            self._dead = np.concatenate([self._dead, fresh])
        return fresh

    def _kept_and_loaded(
        self, store: Store, heads: Sequence[SegmentHead], fresh: IntArray
    ) -> dict[SegmentHead, list[Segment]]:
        kept, new = self._loaded, [head for head in heads if head not in self._loaded]
        loaded = {
            head: None if segment is None else [segments.without(segment, self._dead)]
            for head, segment in zip(new, load_all(store, new, self._layout), strict=True)
        }
        return {
            head: [segments.without(segment, fresh) for segment in kept[head]]
            if head in kept
            else loaded[head] or self._made_again(store, head)
            for head in heads
        }

    def _made_again(self, store: Store, head: SegmentHead) -> list[Segment]:
        made = segment_store.derive(store, head.first_row, head.last_row, self._layout)
        self.repairs.append(Repair(head, made))
        return made

    def _extend_tail(self, store: Store, packed: int, fresh: IntArray) -> None:
        tail = self._tail
        if tail is not None and tail.first_row != packed + 1:
            tail = None
        after = packed if tail is None else tail.last_row
        new = store.vectors_after(after, LARGEST_ROW, segments.MAX_ROWS, self._layout.stored)
        if tail is not None:
            tail = segments.without(tail, fresh)
        while new.rows.size:
            last = int(new.rows[-1])
            made = segments.build(packed + 1, last, new, self._layout)
            tail = made if tail is None else segments.joined(tail, made, self._layout)
            new = store.vectors_after(last, LARGEST_ROW, segments.MAX_ROWS, self._layout.stored)
        self._tail = tail

    def segments(self) -> Sequence[Segment]:
        """All segments, in the order of their rows."""
        return self._segments

    def nearest(self, vector: FloatArray, keeps: Sequence[int], threads: int = 1) -> Scanned:
        """The best rows by their codes.

        Args:
            vector: (stored dim,) float32.
            keeps: how many the scan hands on, and how many of these remain after refining, where
                the layout does that.
            threads: how many share a long scan.
        """
        return self._scanned(kernel.search(vector, self._stages, keeps, threads))

    def nearest_many(
        self, vectors: FloatArray, keeps: Sequence[int], threads: int
    ) -> list[Scanned]:
        """`nearest` for each of (m, stored dim) float32 vectors, shared by some threads."""
        found = kernel.search_many(vectors, self._stages, keeps, threads)
        return [self._scanned(one) for one in found]

    def _scanned(self, candidates: kernel.Candidates) -> Scanned:
        found = self._numbers.at(candidates.positions)
        return Scanned(found, candidates.scores, candidates.factor)
