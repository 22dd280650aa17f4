"""The scan without the memory for its codes: segments are read from the file one after another
during each search."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from edge_mrl.index import segment_store, segments
from edge_mrl.index.layout import IndexLayout
from edge_mrl.index.packing import pack_range
from edge_mrl.index.resident import Repair, Resident
from edge_mrl.index.segment_store import SegmentHead
from edge_mrl.index.segments import Segment
from edge_mrl.index.store import Store
from edge_mrl.kernel import PreparedQuery, scan, top_positions

IntArray = npt.NDArray[np.int64]

_NEVER = (-1, -1)
"""No file has this change stamp."""

_ROW_BYTES = 8 + 2
"""A row number and a gain."""


def resident_need(store: Store, layout: IndexLayout) -> int:
    """Bytes that holding all scan codes would take. Call inside `store.read()`."""
    (deleted,) = store.connection.execute("SELECT count(*) FROM deletions").fetchone()
    # A deleted row stays in its segment.
    return (store.count() + int(deleted)) * (layout.scan.code_bytes + _ROW_BYTES)


def fitting(
    held: Resident | Streamed, store: Store, layout: IndexLayout, budget: int | None
) -> Resident | Streamed:
    """The way to keep scan codes that the budget allows now. Call inside `store.read()`.

    Args:
        held: the way so far, which is returned where it still is the right one.
        store: an open index.
        layout: its slices.
        budget: bytes that the codes may take in memory; None for no limit.
    """
    if budget is None or resident_need(store, layout) <= budget:
        return held if isinstance(held, Resident) else Resident(layout)
    return held if isinstance(held, Streamed) else Streamed(layout)


class Streamed:
    """Scan codes that stay in the file; stands in for `Resident`, with the same hits.

    It holds the tail and the deleted row numbers, and during a search one segment.

    Attributes:
        stamp: the file's change stamp at the last `sync`.
        repairs: a segment that had to be made again.
    """

    _store: Store
    """The file, from `sync`, which comes before each scan."""

    def __init__(self, layout: IndexLayout) -> None:
        self._layout = layout
        self.stamp = _NEVER
        self._heads: list[SegmentHead] = []
        self._tail: Segment | None = None
        self._dead = np.empty(0, dtype=np.int64)
        self._count = 0
        self.repairs: list[Repair] = []

    @property
    def nbytes(self) -> int:
        """Bytes held between searches."""
        return self._dead.nbytes + (0 if self._tail is None else self._tail.nbytes)

    @property
    def alive(self) -> int:
        """Rows that a scan can return."""
        return self._count

    def sync(self, store: Store) -> None:
        """Learn what has changed in the file. Call inside `store.read()`.

        Raises:
            IndexFileError: a stored vector that is needed is damaged; names the document.
        """
        self._store = store
        stamp = store.change_stamp()
        if stamp == self.stamp:
            return
        self._count = store.count()
        deleted = store.connection.execute("SELECT row FROM deletions")
        self._dead = np.fromiter((row for (row,) in deleted), dtype=np.int64)
        self._heads = segment_store.heads(store)
        packed, last = max((h.last_row for h in self._heads), default=0), store.next_row() - 1
        self._tail = None
        if store.vectors_waiting(packed) <= segments.MIN_ROWS:
            self._tail = pack_range(store, packed + 1, last, self._layout)
        else:
            # Writers leave no such tail: segments are missing, and all rows may be in it.
            self._heads.append(SegmentHead(None, packed + 1, last))
        self.stamp = stamp

    def nearest(self, query: PreparedQuery, keep: int) -> IntArray:
        """Row numbers of the `keep` best rows by their codes, best first. Call inside
        `store.read()`, after `sync`."""
        rows = np.empty(0, dtype=np.int64)
        scores = np.empty(0, dtype=np.int64)
        for segment in self.segments():
            found = scan(query, [segment.block], keep)
            # In the order of the rows, so that the lower row wins a tie.
            order = np.argsort(found.positions)
            rows = np.concatenate([rows, segment.rows[found.positions[order]]])
            scores = np.concatenate([scores, found.scores[order]])
            kept = top_positions(scores, keep)
            rows, scores = rows[kept], scores[kept]
        best: IntArray = rows[np.lexsort((rows, -scores))]
        return best

    def segments(self) -> Iterator[Segment]:
        """All segments, in the order of their rows, one at a time. Call inside `store.read()`,
        after `sync`."""
        for head in self._heads:
            segment = segment_store.load(self._store, head, self._layout)
            if segment is not None:
                yield segments.without(segment, self._dead)
            else:
                yield from self._made_again(head)
        if self._tail is not None:
            yield self._tail

    def _made_again(self, head: SegmentHead) -> Iterator[Segment]:
        after = head.first_row - 1
        while after < head.last_row:
            made = pack_range(self._store, after + 1, head.last_row, self._layout)
            after = made.last_row
            whole = (made.first_row, made.last_row) == (head.first_row, head.last_row)
            # Only one waits to be written, or a file of damaged segments would be held whole.
            if whole and not self.repairs:
                self.repairs.append(Repair(head, [made]))
            yield made
