"""A search without the memory for its codes: segments are read from the file one after another
during each search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from edge_mrl import kernel
from edge_mrl.index.format import segments
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segments import Segment
from edge_mrl.index.format.stages import stage_list
from edge_mrl.index.format.vector_rows import record_bytes
from edge_mrl.index.searching.resident import Repair, Resident
from edge_mrl.index.searching.scan_list import Scanned
from edge_mrl.index.storage import segment_store
from edge_mrl.index.storage.packing import pack_range
from edge_mrl.index.storage.schema_sql import DELETED
from edge_mrl.index.storage.segment_reading import load
from edge_mrl.index.storage.segment_store import SegmentHead
from edge_mrl.index.storage.store import Store
from edge_mrl.kernel import StageList, top_positions
from edge_mrl.kernel.stages import turned
from edge_mrl.slices import FloatArray

IntArray = npt.NDArray[np.int64]

_NEVER = (-1, -1)
"""No file has this change stamp."""


def resident_need(store: Store, layout: IndexLayout) -> int:
    """Bytes that holding all codes would take. Call inside `store.read()`."""
    (deleted,) = store.connection.execute("SELECT count(*) FROM deletions").fetchone()
    (numbers,) = store.connection.execute(
        "SELECT sum(length(row_numbers)) FROM segments"
    ).fetchone()
    # A deleted row stays in its segment, and its segment has a mask.
    rows = store.count() + int(deleted)
    masks = rows if deleted else 0
    return rows * layout.resident_row_bytes + int(numbers or 0) + masks


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
        bytes_read: what searches have read of the file so far.
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
        self.bytes_read = 0

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
        deleted = store.connection.execute(DELETED)
        self._dead = np.fromiter((row for (row,) in deleted), dtype=np.int64)
        self._heads = segment_store.heads(store, self._layout)
        packed, last = max((h.last_row for h in self._heads), default=0), store.next_row() - 1
        self._tail = None
        if store.vectors_waiting(packed) <= segments.MIN_ROWS:
            self._tail = pack_range(store, packed + 1, last, self._layout)
        else:
            # Writers leave no such tail: segments are missing, and all rows may be in it.
            self._heads.append(SegmentHead(None, packed + 1, last))
        self.stamp = stamp

    def nearest(self, vector: FloatArray, keeps: Sequence[int], threads: int = 1) -> Scanned:
        """As `Resident.nearest`, on one thread. Call inside `store.read()`, after `sync`."""
        return nearest_of(self._layout, self.segments(), vector, keeps)

    def segments(self) -> Iterator[Segment]:
        """All segments, in the order of their rows, one at a time. Call inside `store.read()`,
        after `sync`."""
        for head in self._heads:
            segment, nbytes = load(self._store, head, self._layout)
            self.bytes_read += nbytes
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
            self.bytes_read += made.block.rows * record_bytes(self._layout.stored)
            whole = (made.first_row, made.last_row) == (head.first_row, head.last_row)
            # Only one waits to be written, or a file of damaged segments would be held whole.
            if whole and not self.repairs:
                self.repairs.append(Repair(head, [made]))
            yield made


def nearest_of(
    layout: IndexLayout, segments: Iterable[Segment], vector: FloatArray, keeps: Sequence[int]
) -> Scanned:
    """The best rows of segments, with one of them in memory at a time.

    Args:
        layout: of their codes.
        segments: in the order of their rows.
        vector: (stored dim,) float32.
        keeps: how many each stage hands on.
    """
    rows = np.empty(0, dtype=np.int64)
    scores = np.empty((len(keeps), 0), dtype=np.int64)
    factor = 0.0
    for segment in segments:
        stages = stage_list(layout, [segment])
        places, found, factor = _scored(vector, stages, keeps[0])
        rows = np.concatenate([rows, segment.row_numbers(places)])
        scores = np.concatenate([scores, found], axis=1)
        kept = top_positions(scores[0], keeps[0])
        rows, scores = rows[kept], scores[:, kept]
    kept = top_positions(scores[-1], keeps[-1])
    rows, last = rows[kept], scores[-1, kept]
    order = np.lexsort((rows, -last))
    return Scanned(rows[order], last[order], factor)


def _scored(vector: FloatArray, stages: StageList, keep: int) -> tuple[IntArray, IntArray, float]:
    """The best `keep` of the scan, in rising order of place: (m,) places, (stages, m) scores, and
    the factor of the last stage."""
    found = kernel.search(vector, StageList.of(stages.stages[:1]), [keep])
    order = np.argsort(found.positions)
    places = found.positions[order]
    scores, factor = [found.scores[order]], found.factor
    for stage in stages.stages[1:]:
        # Each stage scores all of them: which of them count is known after the last segment.
        query = kernel.prepare_rows(
            turned(vector[: stage.dim, None], stage.turns)[:, 0], stage.bits
        )
        finer = kernel.rescore(query, stage.blocks, places, max(1, places.size))
        scores.append(finer.scores[np.argsort(finer.positions)])
        factor = finer.factor
    return places, np.stack(scores), factor
