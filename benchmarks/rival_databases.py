"""Vector databases that run inside the program: qdrant-edge, zvec, lancedb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contender import LADDER, Contender, K
from edge_mrl.slices import FloatArray

BATCH = 1000


class QdrantEdge(Contender):
    """An HNSW graph over scalar codes, rescored with the stored vectors."""

    name = "qdrant-edge HNSW int8, rescored"
    package = "qdrant_edge"
    effort = LADDER[-1]

    def build(self, documents: FloatArray, folder: Path) -> None:
        import qdrant_edge as qdrant

        vectors = qdrant.EdgeVectorParams(
            size=documents.shape[1],
            distance=qdrant.Distance.Cosine,
            quantization_config=qdrant.ScalarQuantizationConfig(qdrant.ScalarType.Int8),
            hnsw_config=qdrant.HnswIndexConfig(
                m=16, ef_construct=100, full_scan_threshold=1000, max_indexing_threads=1
            ),
        )
        config = qdrant.EdgeConfig(vectors=vectors, max_search_threads=1)
        shard = qdrant.EdgeShard.create(str(folder / "shard"), config)
        for start in range(0, len(documents), BATCH):
            points = [
                qdrant.Point(start + place, vector.tolist())
                for place, vector in enumerate(documents[start : start + BATCH])
            ]
            shard.update(qdrant.UpdateOperation.upsert_points(points))
        shard.optimize()
        shard.flush()
        shard.close()

    def open(self, folder: Path) -> None:
        import qdrant_edge as qdrant

        self._shard = qdrant.EdgeShard.load(str(folder / "shard"))

    def _request(self, query: FloatArray) -> Any:
        import qdrant_edge as qdrant

        rescored = qdrant.QuantizationSearchParams(rescore=True, oversampling=2.0)
        return qdrant.QueryRequest(
            limit=K,
            query=qdrant.Query.Nearest(query.tolist()),
            params=qdrant.SearchParams(hnsw_ef=self.effort, quantization=rescored),
        )

    def search(self, query: FloatArray) -> list[int]:
        return [hit.id for hit in self._shard.query(self._request(query))]

    def search_many(self, queries: FloatArray, threads: int) -> list[list[int]]:
        """Its threads are chosen when it is opened, so both rows are of one thread."""
        import qdrant_edge as qdrant

        batch = qdrant.QueryBatchRequest([self._request(query) for query in queries])
        return [[hit.id for hit in hits] for hits in self._shard.query_batch(batch)]


class _Zvec(Contender):
    package = "zvec"

    def _index(self, zvec: Any) -> Any:
        raise NotImplementedError

    def _start(self) -> Any:
        import zvec

        zvec.init(log_level=zvec.LogLevel.ERROR, query_threads=1, optimize_threads=1)
        return zvec

    def build(self, documents: FloatArray, folder: Path) -> None:
        zvec = self._start()
        schema = zvec.CollectionSchema(
            name="benchmark",
            vectors=zvec.VectorSchema(
                "v", zvec.DataType.VECTOR_FP32, documents.shape[1], self._index(zvec)
            ),
        )
        collection = zvec.create_and_open(str(folder / "collection"), schema)
        for start in range(0, len(documents), BATCH):
            collection.insert(
                [
                    zvec.Doc(id=str(start + place), vectors={"v": vector.tolist()})
                    for place, vector in enumerate(documents[start : start + BATCH])
                ]
            )
        collection.optimize()
        collection.flush()
        collection.close()

    def open(self, folder: Path) -> None:
        self._zvec = self._start()
        option = self._zvec.CollectionOption(read_only=True)
        self._collection = self._zvec.open(str(folder / "collection"), option)

    def _parameters(self) -> Any:
        return None

    def search(self, query: FloatArray) -> list[int]:
        asked = self._zvec.Query("v", vector=query, param=self._parameters())
        return [int(hit.id) for hit in self._collection.query(asked, topk=K)]


class ZvecFlat(_Zvec):
    name = "zvec flat int8"

    def _index(self, zvec: Any) -> Any:
        return zvec.FlatIndexParam(zvec.MetricType.IP, zvec.QuantizeType.INT8)


class ZvecHnsw(_Zvec):
    name = "zvec HNSW int8"
    effort = 2000  # zvec refuses ef above 2048

    def _index(self, zvec: Any) -> Any:
        return zvec.HnswIndexParam(
            zvec.MetricType.IP, m=16, ef_construction=200, quantize_type=zvec.QuantizeType.INT8
        )

    def _parameters(self) -> Any:
        return self._zvec.HnswQueryParam(ef=self.effort)


class LanceFlat(Contender):
    """No index: lancedb compares every vector."""

    name = "lancedb flat float32"
    package = "lancedb"

    def build(self, documents: FloatArray, folder: Path) -> None:
        import lancedb
        import pyarrow

        count, dim = documents.shape
        flat = pyarrow.array(documents.reshape(-1))
        rows = pyarrow.table(
            {
                "id": pyarrow.array(np.arange(count)),
                "vector": pyarrow.FixedSizeListArray.from_arrays(flat, dim),
            }
        )
        self._index(lancedb.connect(str(folder)).create_table("t", rows))

    def _index(self, table: Any) -> None:
        pass

    def open(self, folder: Path) -> None:
        import lancedb

        self._table = lancedb.connect(str(folder)).open_table("t")

    def _asked(self, query: FloatArray) -> Any:
        return self._table.search(query).distance_type("dot").select(["id", "_distance"]).limit(K)

    def search(self, query: FloatArray) -> list[int]:
        found: list[int] = self._asked(query).to_arrow()["id"].to_pylist()
        return found


class LanceHnsw(LanceFlat):
    name = "lancedb IVF_HNSW_SQ, refined"
    effort = 2000

    def _index(self, table: Any) -> None:
        table.create_index(metric="dot", index_type="IVF_HNSW_SQ", num_partitions=1)

    def _asked(self, query: FloatArray) -> Any:
        return super()._asked(query).nprobes(1).ef(self.effort).refine_factor(2)
