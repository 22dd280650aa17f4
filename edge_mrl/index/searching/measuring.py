"""Measures the lists of a search on an index's own vectors: reads a sample, scans it, searches it
exactly."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from random import Random

import numpy as np
import numpy.typing as npt

from edge_mrl import kernel
from edge_mrl.index.format import segments
from edge_mrl.index.format.codes import rotate_query
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segments import Segment
from edge_mrl.index.searching.funnel import LEAST_DOCUMENTS, Measurement
from edge_mrl.index.searching.list_choice import measure_shortlist
from edge_mrl.index.searching.row_costs import look_cost
from edge_mrl.index.searching.scan_list import last_full_score
from edge_mrl.index.searching.stored_loss import stored_loss, wanted_of_stored
from edge_mrl.index.searching.trials import NearestSoFar, Trial
from edge_mrl.index.storage import segment_store
from edge_mrl.index.storage.packing import one_block
from edge_mrl.index.storage.segment_reading import load
from edge_mrl.index.storage.store import Store
from edge_mrl.slices import FloatArray

QUERIES = 250
"""2500 neighbours: the standard error of a share of 0.996 is 0.0013. With 100 queries the upper
ends of the intervals were up to twice as long."""

SAMPLE_ROWS = 16_384
SAMPLE_VALUES = 1 << 22
"""Bounds of the sample: 0.7 s of a core of a busy server, among 100 000 texts."""

_VALUES = 1 << 17
"""Coordinates unpacked at once, half a MiB of float32. The whole sample in one go took 68 MB, more
than the smallest board can spare while documents are added."""

IntArray = npt.NDArray[np.int64]
_Blocks = list[kernel.CodeBlock]


def measure(store: Store, layout: IndexLayout) -> Measurement | None:
    """Measure; None where the index is too small for it to matter. Call inside `store.read()`.

    Raises:
        IndexFileError: a sampled vector is damaged; names the document.
    """
    documents = store.count()
    if documents < LEAST_DOCUMENTS:
        return None
    size = min(documents, SAMPLE_ROWS, max(LEAST_DOCUMENTS, SAMPLE_VALUES // layout.stored.dim))
    rows = _spread(documents, size)
    # No row was ever removed, so the numbers need not be read.
    unbroken = store.next_row() - 1 == documents
    if unbroken:
        rows += 1
    else:
        rows = store.rows()[rows]
    chosen = np.linspace(0, rows.size - 1, QUERIES).astype(np.int64)
    queries = store.vectors(rows[chosen].tolist(), layout.stored).units
    loss = stored_loss(queries, layout.stored)
    packed = _all_packed(store, layout) if unbroken and size == documents else None
    trials = _trials(store, rows, chosen, queries, layout, packed)
    measured = measure_shortlist(trials, documents, wanted_of_stored(loss), look_cost(layout))
    return measured._replace(stored_loss=loss)


def _spread(documents: int, size: int) -> IntArray:
    """Places of a sample, rising: one drawn from each of `size` stretches of equal length."""
    if size == documents:
        return np.arange(documents, dtype=np.int64)
    # Seeded, so that the same index gives the same figure. numpy's generators take 6 MB to import.
    generator = Random(documents)
    edges = [part * documents // size for part in range(size + 1)]
    return np.array([generator.randrange(*edge) for edge in pairwise(edges)], dtype=np.int64)


def _all_packed(store: Store, layout: IndexLayout) -> list[_Blocks] | None:
    """The codes of all rows as the file keeps them, for each resident slice; None where some are
    still to be packed."""
    heads = segment_store.heads(store, layout)
    if not heads or heads[-1].last_row != store.next_row() - 1:
        return None
    blocks: list[_Blocks] = [[] for _ in layout.resident]
    for head in heads:
        segment = None if head.number is None else load(store, head, layout).segment
        if segment is None or segment.numbers is not None:
            return None
        _take(segment, blocks)
    return blocks


def _take(segment: Segment, blocks: list[_Blocks]) -> None:
    blocks[0].append(segment.block)
    if segment.refined is not None:
        blocks[1].append(segment.refined)


def _trials(
    store: Store,
    rows: IntArray,
    chosen: IntArray,
    queries: FloatArray,
    layout: IndexLayout,
    packed: list[_Blocks] | None,
) -> Iterator[Trial]:
    nearest = NearestSoFar(chosen)
    blocks = packed or [[] for _ in layout.resident]
    step = max(1, _VALUES // layout.stored.dim // kernel.BLOCK_ROWS) * kernel.BLOCK_ROWS
    for start in range(0, rows.size, step):
        part = store.vectors(rows[start : start + step].tolist(), layout.stored)
        nearest.look_at(queries @ part.units.T)
        if packed is None:
            first, last = int(part.rows[0]), int(part.rows[-1])
            _take(segments.build(first, last, part, layout), blocks)
    if packed is None:
        # All but the last are of whole blocks, as those of the file need not be.
        blocks = [[one_block(listed)] for listed in blocks]
    for number, own in enumerate(chosen.tolist()):
        coded = []
        for slice_, listed, make in zip(
            layout.resident, blocks, (kernel.prepare, kernel.prepare_rows), strict=False
        ):
            query = make(rotate_query(queries[number], slice_), slice_.bits)
            scores = [kernel.score(query, block) for block in listed]
            coded.append(scores[0] if len(scores) == 1 else np.concatenate(scores))
        whole = last_full_score(query.factor, queries[number], layout)
        yield Trial(own, nearest.of(number), tuple(coded), 1 / whole if whole else None)
