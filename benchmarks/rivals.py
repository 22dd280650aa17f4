"""Search libraries that a program can install instead. Each is measured where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contender import LADDER, Contender, K
from benchmarks.rival_databases import LanceFlat, LanceHnsw, QdrantEdge, ZvecFlat, ZvecHnsw
from edge_mrl.slices import FloatArray

BATCH = 10_000


class _SqliteVec(Contender):
    """An exact scan of a virtual table; sqlite-vec has no other index."""

    package = "sqlite_vec"
    columns: str
    values: str
    query: str

    def build(self, documents: FloatArray, folder: Path) -> None:
        self._connect(folder)
        dim = documents.shape[1]
        self._base.execute(f"CREATE VIRTUAL TABLE v USING vec0({self.columns.format(dim=dim)})")
        for start in range(0, len(documents), BATCH):
            part = documents[start : start + BATCH]
            with self._base:
                self._base.executemany(
                    f"INSERT INTO v VALUES (:number, {self.values})",
                    (
                        {"number": start + place, "vector": vector.tobytes()}
                        for place, vector in enumerate(part)
                    ),
                )
        self._base.close()

    def open(self, folder: Path) -> None:
        self._connect(folder)

    def _connect(self, folder: Path) -> None:
        import sqlite_vec

        try:
            import pysqlite3 as sqlite3  # where Python's own sqlite3 loads no extensions
        except ImportError:
            import sqlite3
        self._base: Any = sqlite3.connect(folder / "vec.db", check_same_thread=False)
        self._base.enable_load_extension(True)
        sqlite_vec.load(self._base)
        self._base.enable_load_extension(False)

    def search(self, query: FloatArray) -> list[int]:
        given = {"vector": query.tobytes(), "k": K, "keep": self.effort}
        return [row[0] for row in self._base.execute(self.query, given)]


class SqliteVecInt8(_SqliteVec):
    name = "sqlite-vec int8"
    columns = "id INTEGER PRIMARY KEY, v int8[{dim}] distance_metric=cosine"
    values = "vec_quantize_int8(:vector, 'unit')"
    query = "SELECT id FROM v WHERE v MATCH vec_quantize_int8(:vector, 'unit') AND k = :k"


class SqliteVecBit(_SqliteVec):
    name = "sqlite-vec bit, rerank in float32"
    columns = "id INTEGER PRIMARY KEY, b bit[{dim}], v float[{dim}] distance_metric=cosine"
    values = "vec_quantize_binary(:vector), :vector"
    query = (
        "WITH kept AS (SELECT id, v FROM v WHERE b MATCH vec_quantize_binary(:vector) "
        "AND k = :keep) SELECT id FROM kept ORDER BY vec_distance_cosine(v, :vector) LIMIT :k"
    )
    effort = 4000  # sqlite-vec refuses k above 4096


class _Usearch(Contender):
    package = "usearch"
    exact = False

    def build(self, documents: FloatArray, folder: Path) -> None:
        from usearch.index import Index

        index = Index(
            ndim=documents.shape[1], metric="cos", dtype="i8", connectivity=16, expansion_add=128
        )
        for start in range(0, len(documents), BATCH):
            part = documents[start : start + BATCH]
            index.add(np.arange(start, start + len(part)), part, threads=1)
        index.save(str(folder / "index.usearch"))

    def open(self, folder: Path) -> None:
        from usearch.index import Index

        self._index: Any = Index.restore(str(folder / "index.usearch"))

    def search(self, query: FloatArray) -> list[int]:
        self._index.expansion_search = self.effort or K
        found: list[int] = self._index.search(query, K, threads=1, exact=self.exact).keys.tolist()
        return found

    def search_many(self, queries: FloatArray, threads: int) -> list[list[int]]:
        found = self._index.search(queries, K, threads=threads, exact=self.exact)
        keys: list[list[int]] = found.keys.tolist()
        return keys


class UsearchHnsw(_Usearch):
    name = "usearch HNSW int8"
    effort = LADDER[-1]


class UsearchExact(_Usearch):
    name = "usearch exact int8"
    exact = True


class Hnswlib(Contender):
    name = "hnswlib float32"
    package = "hnswlib"
    effort = LADDER[-1]

    def build(self, documents: FloatArray, folder: Path) -> None:
        import hnswlib

        index = hnswlib.Index(space="ip", dim=documents.shape[1])
        index.init_index(max_elements=len(documents), M=16, ef_construction=200)
        index.add_items(documents, num_threads=1)
        index.save_index(str(folder / f"{documents.shape[1]}.hnsw"))

    def open(self, folder: Path) -> None:
        import hnswlib

        path = next(folder.glob("*.hnsw"))
        self._index = hnswlib.Index(space="ip", dim=int(path.stem))
        self._index.load_index(str(path))

    def search(self, query: FloatArray) -> list[int]:
        return self.search_many(query[None], 1)[0]

    def search_many(self, queries: FloatArray, threads: int) -> list[list[int]]:
        self._index.set_ef(self.effort)
        found: list[list[int]] = self._index.knn_query(queries, K, num_threads=threads)[0].tolist()
        return found


class Turbovec(Contender):
    """TurboQuant codes alone: turbovec keeps no vectors to rescore with."""

    package = "turbovec"

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self.name = f"turbovec {bits} bit"

    def build(self, documents: FloatArray, folder: Path) -> None:
        import turbovec

        index = turbovec.TurboQuantIndex(documents.shape[1], self._bits)
        index.calibrate(documents[np.random.default_rng(0).permutation(len(documents))[:1024]])
        for start in range(0, len(documents), BATCH):
            index.add(documents[start : start + BATCH])
        index.write(str(folder / "index.tv"))

    def open(self, folder: Path) -> None:
        import turbovec

        self._index = turbovec.TurboQuantIndex.load(str(folder / "index.tv"))

    def search(self, query: FloatArray) -> list[int]:
        return self.search_many(query[None], 1)[0]

    def search_many(self, queries: FloatArray, threads: int) -> list[list[int]]:
        """Its threads are set by the environment, so both rows are of one thread."""
        found: list[list[int]] = self._index.search(queries, K)[1].tolist()
        return found


class TurbovecRerank(Turbovec):
    """A shortlist from 2-bit codes, rescored in float32 as its users have to do themselves."""

    effort = LADDER[-1]

    def __init__(self) -> None:
        super().__init__(2)
        self.name = "turbovec 2 bit, rerank in float32"

    def build(self, documents: FloatArray, folder: Path) -> None:
        super().build(documents, folder)
        np.save(folder / "documents.npy", documents)

    def open(self, folder: Path) -> None:
        super().open(folder)
        self._documents = np.load(folder / "documents.npy", mmap_mode="r")

    def search(self, query: FloatArray) -> list[int]:
        rows = self._index.search(query[None], min(self.effort or K, len(self._index)))[1][0]
        scores = self._documents[rows] @ query
        found: list[int] = rows[np.argsort(-scores)[:K]].tolist()
        return found

    def search_many(self, queries: FloatArray, threads: int) -> list[list[int]]:
        return [self.search(query) for query in queries]


def rivals() -> list[Contender]:
    """All of them, installed or not."""
    return [
        SqliteVecInt8(),
        SqliteVecBit(),
        UsearchHnsw(),
        UsearchExact(),
        Hnswlib(),
        Turbovec(4),
        TurbovecRerank(),
        QdrantEdge(),
        ZvecFlat(),
        ZvecHnsw(),
        LanceFlat(),
        LanceHnsw(),
    ]
