"""What is compared: each answers one query with document numbers, best first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_mrl import Index
from edge_mrl.index.codes import encode, gains, rotate_query
from edge_mrl.index.layout import IndexLayout
from edge_mrl.index.segments import MAX_ROWS, build
from edge_mrl.kernel import BlockList, CodeBlock, Kernel
from edge_mrl.kernel.quantizer import IntQuery
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
    """The scan and the rerank, all in memory: no file, no texts, no checks.

    The shortlist is rescored at 8 bits, and the best `LAST` of that in float32, as faiss rescores:
    8 bits alone keep 99.4 % of the exact top 10 of these vectors.
    """

    LAST = 30

    def __init__(self, documents: FloatArray, scan: Slice, kernel: Kernel) -> None:
        self._scan, self._kernel, self._documents = scan, kernel, documents
        dim = documents.shape[1]
        stored = Slice(dim, 8)
        codes = encode(documents, stored)
        rows = CodeBlock(codes.packed, gains(codes.scales, stored))
        self._stored = BlockList.of([rows])
        blocks = []
        for start in range(0, len(documents), MAX_ROWS):
            part = documents[start : start + MAX_ROWS]
            numbers = np.arange(1, len(part) + 1)
            blocks.append(build(1, len(part), numbers, part, scan).block)
        self._blocks = BlockList.of(blocks)
        self.codes_bytes = sum(block.codes.nbytes + block.gains.nbytes for block in blocks)
        self.nbytes = self.codes_bytes + rows.codes.nbytes + rows.gains.nbytes + documents.nbytes
        self.keep = LADDER[-1]
        self.name = f"edge_mrl kernel {kernel.name}, {scan} > {dim}x8 > float32"

    @property
    def note(self) -> str:
        return f"shortlist {self.keep}"

    def scan(self, query: FloatArray) -> npt.NDArray[np.int64]:
        """The shortlist."""
        prepared = self._kernel.prepare(rotate_query(query, self._scan), self._scan.bits)
        return self._kernel.scan(prepared, self._blocks, self.keep).positions

    def search(self, query: FloatArray) -> list[int]:
        rows = self.scan(query)
        if rows.size > self.LAST:
            weights = self._kernel.prepare(query, 8)
            assert isinstance(weights, IntQuery)
            rows = self._kernel.rescore(weights, self._stored, rows, self.LAST).positions
        scores = self._documents[rows] @ query
        return rows[np.argsort(-scores)[:K]].tolist()


class WholeIndex:
    """The public API: a file, stored rows read and checked for each query, texts of the hits."""

    def __init__(self, documents: FloatArray, scan: Slice, path: Path) -> None:
        dim = documents.shape[1]
        self._index = Index.create(
            path,
            dim=dim,
            matryoshka_dims=sorted({scan.dim, dim}),
            identity="benchmark",
            model_name="benchmark",
            layout=IndexLayout(Slice(dim, 8), scan),
        )
        for start in range(0, len(documents), 10_000):
            self._index.add(vectors=documents[start : start + 10_000])
        self._index.optimize()
        stats = self._index.stats()
        self.nbytes = stats.resident_bytes
        self.name = f"edge_mrl Index, {scan} -> {dim}x8 on disk"
        self.note = f"shortlist {stats.shortlist}, as the index measured it for recall 0.99"

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
