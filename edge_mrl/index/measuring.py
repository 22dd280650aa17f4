"""Measures the lists of a search on an index's own vectors: reads a sample, scans it, searches it
exactly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge_mrl import kernel
from edge_mrl.index import segments
from edge_mrl.index.codes import rotate_query
from edge_mrl.index.funnel import Measurement, Trial, measure_shortlist
from edge_mrl.index.layout import IndexLayout
from edge_mrl.index.store import Store
from edge_mrl.index.vector_rows import Vectors

LEAST_DOCUMENTS = 2000
"""Below this the unmeasured shortlist reads half the index anyway."""

QUERIES = 100
"""1000 neighbours: the standard error of a share of 0.99 is 0.003."""

SAMPLE_ROWS = 16_384
SAMPLE_VALUES = 1 << 22
"""Bounds of the sample: 16 MiB of float32, 0.2 s on one desktop core."""


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
    sample = store.vectors(np.sort(rows[order]).tolist(), layout.stored)
    return measure_shortlist(_trials(sample, layout), int(rows.size))


def _trials(sample: Vectors, layout: IndexLayout) -> Iterator[Trial]:
    last = int(sample.rows[-1])
    segment = segments.build(1, last, sample, layout)
    blocks = [segment.block] if segment.refined is None else [segment.block, segment.refined]
    units = sample.units
    chosen = np.linspace(0, sample.rows.size - 1, QUERIES).astype(np.int64)
    exact = units[chosen] @ units.T
    for number, own in enumerate(chosen.tolist()):
        coded = []
        for part, block, make in zip(
            layout.resident, blocks, (kernel.prepare, kernel.prepare_rows), strict=False
        ):
            query = make(rotate_query(units[own], part), part.bits)
            coded.append(kernel.score(query, block))
        yield Trial(own, exact[number], tuple(coded))
