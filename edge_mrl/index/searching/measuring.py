"""Measures the lists of a search on an index's own vectors: reads a sample, scans it, searches it
exactly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from edge_mrl import kernel
from edge_mrl.index.format import segments
from edge_mrl.index.format.codes import rotate_query
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.searching.funnel import LEAST_DOCUMENTS, Measurement, Trial, measure_shortlist
from edge_mrl.index.searching.scan_list import last_unit
from edge_mrl.index.storage.store import Store

QUERIES = 100
"""1000 neighbours: the standard error of a share of 0.99 is 0.003."""

SAMPLE_ROWS = 16_384
SAMPLE_VALUES = 1 << 22
"""Bounds of the sample: 0.2 s on one desktop core."""

_ROWS = 2048
"""Vectors unpacked at once. The whole sample in one go took 68 MB, more than the smallest board can
spare while documents are added."""

IntArray = npt.NDArray[np.int64]


def measure(store: Store, layout: IndexLayout) -> Measurement | None:
    """Measure; None where the index is too small for it to matter. Call inside `store.read()`.

    Raises:
        IndexFileError: a sampled vector is damaged; names the document.
    """
    rows = store.rows()
    if rows.size < LEAST_DOCUMENTS:
        return None
    size = min(rows.size, SAMPLE_ROWS, max(LEAST_DOCUMENTS, SAMPLE_VALUES // layout.stored.dim))
    # Seeded by the size: the same index gives the same figure.
    order = np.random.default_rng(rows.size).permutation(rows.size)[:size]
    return measure_shortlist(_trials(store, np.sort(rows[order]), layout), int(rows.size))


def _trials(store: Store, rows: IntArray, layout: IndexLayout) -> Iterator[Trial]:
    chosen = np.linspace(0, rows.size - 1, QUERIES).astype(np.int64)
    queries = store.vectors(rows[chosen].tolist(), layout.stored).units
    exact = np.empty((QUERIES, rows.size), dtype=np.float32)
    blocks: list[list[kernel.CodeBlock]] = [[] for _ in layout.resident]
    for start in range(0, rows.size, _ROWS):
        part = store.vectors(rows[start : start + _ROWS].tolist(), layout.stored)
        exact[:, start : start + _ROWS] = queries @ part.units.T
        segment = segments.build(int(part.rows[0]), int(part.rows[-1]), part, layout)
        blocks[0].append(segment.block)
        if segment.refined is not None:
            blocks[1].append(segment.refined)
    for number, own in enumerate(chosen.tolist()):
        coded = []
        for slice_, listed, make in zip(
            layout.resident, blocks, (kernel.prepare, kernel.prepare_rows), strict=False
        ):
            query = make(rotate_query(queries[number], slice_), slice_.bits)
            coded.append(np.concatenate([kernel.score(query, block) for block in listed]))
        yield Trial(own, exact[number], tuple(coded), last_unit(queries[number], layout))
