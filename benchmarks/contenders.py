"""What is compared: each answers one query with document numbers, best first."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from edge_mrl import Index
from edge_mrl.index.codes import encode
from edge_mrl.index.layout import IndexLayout
from edge_mrl.index.segments import MAX_ROWS, aligned, build
from edge_mrl.index.stages import stage_list
from edge_mrl.index.vector_rows import Vectors
from edge_mrl.kernel import Kernel, StageList
from edge_mrl.slices import FloatArray, Slice

K = 10
LADDER = (20, 30, 50, 75, 100, 150, 200, 300, 400, 600, 1000, 1500, 2500, 4000, 8000)
"""Shortlists that are tried, shortest first."""


class Contender(Protocol):
    """One way to search.

    Attributes:
        name: in the table.
        nbytes: what it holds in memory for the documents.
        note: its settings.
    """

    name: str
    nbytes: int
    note: str

    def search(self, query: FloatArray) -> list[int]:
        """Numbers of the best 10 documents."""


@dataclass
class NumpyExact:
    """Every dot product in float32."""

    documents: FloatArray
    name: str = "numpy float32, exact"
    note: str = ""

    def __post_init__(self) -> None:
        self.nbytes = self.documents.nbytes

    def search(self, query: FloatArray) -> list[int]:
        scores = self.documents @ query
        best = np.argpartition(-scores, K)[:K]
        return best[np.argsort(-scores[best])].tolist()


class BareKernel:
    """A search of the kernel, all in memory: no file, no texts, no checks.

    The last list is rescored in float32, as faiss rescores: 8 bits alone keep 99.4 % of the exact
    top 10 of these vectors.
    """

    def __init__(
        self, documents: FloatArray, scan: Slice, refine: Slice | None, kernel: Kernel
    ) -> None:
        self._kernel, self._documents = kernel, documents
        stored = Slice(documents.shape[1], 8)
        layout = IndexLayout(stored, scan, refine)
        made = []
        for start in range(0, len(documents), MAX_ROWS):
            part = documents[start : start + MAX_ROWS]
            numbers = np.arange(1, len(part) + 1)
            vectors = Vectors(numbers, encode(part, stored), stored)
            made.append(aligned(build(1, len(part), vectors, layout)))
        self._stages = stage_list(layout, made)
        self.scan_bytes = sum(s.block.codes.nbytes + s.block.gains.nbytes for s in made)
        self.nbytes = sum(segment.nbytes for segment in made) + documents.nbytes
        self._shorter = 1 if refine is None else 2 * refine.bits
        self.keep = LADDER[-1]
        middle = "" if refine is None else f" > {refine}"
        self.name = f"edge_mrl kernel {kernel.name}, {scan}{middle} > float32"

    @property
    def _keeps(self) -> list[int]:
        last = max(2 * K, self.keep // self._shorter)
        return [self.keep] if len(self._stages.stages) == 1 else [self.keep, last]

    @property
    def note(self) -> str:
        return "shortlist " + " > ".join(map(str, self._keeps))

    def scan(self, query: FloatArray) -> None:
        """The first stage alone."""
        self._kernel.search(query, self._first, [K])

    @cached_property
    def _first(self) -> StageList:
        return StageList.of(self._stages.stages[:1])

    def search(self, query: FloatArray) -> list[int]:
        rows = self._kernel.search(query, self._stages, self._keeps).positions
        scores = self._documents[rows] @ query
        return rows[np.argsort(-scores)[:K]].tolist()


class WholeIndex:
    """The public API: a file, stored rows read and checked for each query, texts of the hits."""

    def __init__(self, documents: FloatArray, layout: IndexLayout, path: Path) -> None:
        dim = documents.shape[1]
        index = Index.create(
            path,
            dim=dim,
            matryoshka_dims=sorted({dim, *(part.dim for part in layout.resident)}),
            identity="benchmark",
            model_name="benchmark",
            layout=layout,
        )
        begun = time.perf_counter()
        for start in range(0, len(documents), 10_000):
            index.add(vectors=documents[start : start + 10_000])
        inserted = len(documents) / (time.perf_counter() - begun)
        index.optimize()
        index.close()
        begun = time.perf_counter()
        self._index = Index.open(path)
        self._index.search(documents[0], K)
        opened = time.perf_counter() - begun
        stats = self._index.stats()
        self.nbytes = stats.resident_bytes
        per_vector = stats.file_bytes / (len(documents) * layout.stored.nbytes)
        steps = " > ".join(map(str, layout.resident))
        self.name = f"edge_mrl Index, {steps} > {layout.stored} on disk"
        self.note = (
            f"shortlist {' > '.join(map(str, stats.shortlists))} as the index measured it for "
            f"recall 0.99; open and first query {1e3 * opened:.0f} ms; file {per_vector:.2f} x the "
            f"vectors; durable insert {inserted:.0f}/s"
        )

    def search(self, query: FloatArray) -> list[int]:
        return [int(hit.id) - 1 for hit in self._index.search(query, K)]


class FaissFlat:
    """faiss, every dot product in float32."""

    def __init__(self, documents: FloatArray) -> None:
        import faiss

        self._index = faiss.IndexFlatIP(documents.shape[1])
        self._index.add(documents)
        self.nbytes = documents.nbytes
        self.name, self.note = "faiss IndexFlatIP, exact", ""

    def search(self, query: FloatArray) -> list[int]:
        return self._index.search(query[None], K)[1][0].tolist()


class FaissFastScan:
    """faiss' fastest scan, trained on the documents, and a rerank in float32."""

    def __init__(self, documents: FloatArray) -> None:
        import faiss

        count, dim = documents.shape
        codes = faiss.IndexPQFastScan(dim, 64, 4, faiss.METRIC_INNER_PRODUCT)
        codes.train(documents[:65_536])
        self._index = faiss.IndexRefineFlat(codes)
        self._index.add(documents)
        self.nbytes = documents.nbytes + count * 32
        self.keep = LADDER[-1]
        self.name = "faiss IndexPQFastScan(64x4) + IndexRefineFlat"

    @property
    def note(self) -> str:
        return f"shortlist {self.keep}"

    def search(self, query: FloatArray) -> list[int]:
        self._index.k_factor = self.keep / K
        return self._index.search(query[None], K)[1][0].tolist()
