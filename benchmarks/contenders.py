"""edge_mrl, and the two yardsticks: numpy and faiss."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.contender import LADDER, Contender, K, shared_out
from edge_mrl import Index, kernel
from edge_mrl.index.format.codes import encode
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segments import MAX_ROWS, aligned, build
from edge_mrl.index.format.stages import stage_list
from edge_mrl.index.format.vector_rows import Vectors, record_bytes
from edge_mrl.kernel import StageList
from edge_mrl.slices import FloatArray, Slice

_LONGEST_REFINED = 400
"""Rows rescored in float32 after finer codes, at most; 2 bits needed 56 among a million."""


class NumpyExact(Contender):
    """Every dot product in float32."""

    name = "numpy float32, exact"

    def open(self, folder: Path) -> None:
        self._documents = np.load(folder / "documents.npy")

    def search(self, query: FloatArray) -> list[int]:
        return _best(self._documents @ query)

    def search_many(self, queries: FloatArray, threads: int) -> list[list[int]]:
        if threads > 1:
            return shared_out(self.search, queries, threads)
        return [_best(scores) for scores in queries @ self._documents.T]


def _best(scores: FloatArray) -> list[int]:
    best = np.argpartition(-scores, K)[:K]
    found: list[int] = best[np.argsort(-scores[best])].tolist()
    return found


class BareKernel(Contender):
    """A search of the kernel, all in memory: no file, no texts, no checks.

    The last list is rescored in float32, as faiss rescores: 8 bits alone keep 99.4 % of the exact
    top 10 of 256-dimensional vectors.
    """

    keeps_file = False

    def __init__(self, scan: Slice, refine: Slice | None, target: str) -> None:
        self._slices, self._target = (scan, refine), target
        self.effort = (LADDER[-1],) if refine is None else (LADDER[-1], _LONGEST_REFINED)
        middle = "" if refine is None else f" > {refine}"
        self.name = f"edge_mrl kernel {target}, {scan}{middle} > float32"

    def open(self, folder: Path) -> None:
        self._kernel = kernel.available()[self._target]
        self._documents = np.load(folder / "documents.npy")
        stored = Slice(self._documents.shape[1], 8)
        layout = IndexLayout(stored, *self._slices)
        made = []
        for start in range(0, len(self._documents), MAX_ROWS):
            part = self._documents[start : start + MAX_ROWS]
            numbers = np.arange(1, len(part) + 1)
            vectors = Vectors(numbers, encode(part, stored), stored)
            made.append(aligned(build(1, len(part), vectors, layout)))
        self._stages = stage_list(layout, made)
        self._first = StageList.of(self._stages.stages[:1])
        self._scanned = sum(s.block.codes.nbytes + s.block.gains.nbytes for s in made)

    def search(self, query: FloatArray) -> list[int]:
        rows = self._kernel.search(query, self._stages, self.effort).positions
        scores = self._documents.take(rows, axis=0) @ query
        found: list[int] = rows[np.argsort(-scores)[:K]].tolist()
        return found

    def scan_speed(self, query: FloatArray) -> float | None:
        spent = []
        for _ in range(30):
            start = time.thread_time()
            self._kernel.search(query, self._first, [K])
            spent.append(time.thread_time() - start)
        return self._scanned / float(np.median(spent))


class WholeIndex(Contender):
    """The public API: a file, stored rows read and checked for each query, texts of the hits."""

    def __init__(self, layout: IndexLayout) -> None:
        self._layout = layout
        steps = " > ".join(map(str, layout.resident))
        self.name = f"edge_mrl Index, {steps} > {layout.stored} on disk"

    def build(self, documents: FloatArray, folder: Path) -> None:
        dim = documents.shape[1]
        with Index.create(
            folder / "index.db",
            dim=dim,
            matryoshka_dims=sorted({dim, *(part.dim for part in self._layout.resident)}),
            identity="benchmark",
            model_name="benchmark",
            layout=self._layout,
        ) as index:
            begun = time.perf_counter()
            for start in range(0, len(documents), 10_000):
                index.add(vectors=documents[start : start + 10_000])
            self.insert_s = time.perf_counter() - begun
            index.optimize()

    def open(self, folder: Path) -> None:
        self._path = folder / "index.db"
        self._index = Index.open(self._path)

    @property
    def note(self) -> str:
        stats = self._index.stats()
        lists = " > ".join(map(str, stats.shortlists))
        ratio = stats.file_bytes / (stats.documents * record_bytes(self._layout.stored))
        return (
            f"shortlist {lists} as the index measured it for recall 0.99; "
            f"file {ratio:.2f} x the stored vectors"
        )

    def search(self, query: FloatArray) -> list[int]:
        return [int(hit.id) - 1 for hit in self._index.search(query, K)]

    def search_many(self, queries: FloatArray, threads: int) -> list[list[int]]:
        if threads == 1:
            return shared_out(self.search, queries, 1)
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(self._part, np.array_split(queries, threads)))
        return [hits for part in parts for hits in part]

    def _part(self, queries: FloatArray) -> list[list[int]]:
        """An index belongs to one thread, so each opens its own."""
        with Index.open(self._path) as index:
            return [[int(hit.id) - 1 for hit in index.search(query, K)] for query in queries]


class _Faiss(Contender):
    package = "faiss"

    def _save(self, index: object, folder: Path) -> None:
        import faiss

        faiss.write_index(index, str(folder / "index.faiss"))

    def open(self, folder: Path) -> None:
        import faiss

        faiss.omp_set_num_threads(1)
        self._index = faiss.read_index(str(folder / "index.faiss"))

    def search(self, query: FloatArray) -> list[int]:
        found: list[int] = self._index.search(query[None], K)[1][0].tolist()
        return found

    def search_many(self, queries: FloatArray, threads: int) -> list[list[int]]:
        import faiss

        faiss.omp_set_num_threads(threads)
        found: list[list[int]] = self._index.search(queries, K)[1].tolist()
        faiss.omp_set_num_threads(1)
        return found


class FaissFlat(_Faiss):
    """faiss, every dot product in float32."""

    name = "faiss IndexFlatIP, exact"

    def build(self, documents: FloatArray, folder: Path) -> None:
        import faiss

        index = faiss.IndexFlatIP(documents.shape[1])
        index.add(documents)
        self._save(index, folder)


class FaissFastScan(_Faiss):
    """faiss' fastest scan, trained on the documents, and a rerank in float32."""

    name = "faiss IndexPQFastScan(64x4) + IndexRefineFlat"
    effort = LADDER[-1]

    def build(self, documents: FloatArray, folder: Path) -> None:
        import faiss

        codes = faiss.IndexPQFastScan(documents.shape[1], 64, 4, faiss.METRIC_INNER_PRODUCT)
        codes.train(documents[:65_536])
        index = faiss.IndexRefineFlat(codes)
        index.add(documents)
        self._save(index, folder)

    def search(self, query: FloatArray) -> list[int]:
        self._index.k_factor = self.effort / K
        return super().search(query)
