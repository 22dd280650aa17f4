"""Pipelines of other libraries, as their users write them. They import when they are used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.pipeline import K, Pipeline


class SentenceTransformersFaiss(Pipeline):
    name = "sentence-transformers + faiss"
    modules = ("sentence_transformers", "faiss")
    requirements = ("sentence-transformers", "faiss-cpu")
    needs = ("model",)

    def create(self) -> None:
        import faiss
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(self.settings["model"], device="cpu")
        self._ids: list[str] = []
        self._index = faiss.IndexFlatIP(self._model.get_sentence_embedding_dimension())

    def _embed(self, texts: list[str]) -> Any:
        return self._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)

    def add(self, ids: list[str], texts: list[str]) -> None:
        self._index.add(self._embed(texts))
        self._ids += ids

    def save(self) -> None:
        import faiss

        faiss.write_index(self._index, str(self.folder / "index.faiss"))
        (self.folder / "ids.json").write_text(json.dumps(self._ids))

    def open(self) -> None:
        import faiss

        self.create()
        self._index = faiss.read_index(str(self.folder / "index.faiss"))
        self._ids = json.loads((self.folder / "ids.json").read_text())

    def search(self, text: str) -> list[str]:
        return [self._ids[row] for row in self._index.search(self._embed([text]), K)[1][0]]

    def count(self) -> int:
        return len(self._ids)


class WordllamaUsearch(Pipeline):
    name = "wordllama + usearch"
    modules = ("wordllama", "usearch")
    requirements = ("wordllama", "usearch")
    needs = ()

    def create(self) -> None:
        import wordllama
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer
        from usearch.index import Index
        from wordllama.inference import WordLlamaInference

        # The library's own loader looks for the tokenizer in a folder that its package lacks.
        package = Path(wordllama.__file__).parent
        tables = load_file(package / "weights" / "l2_supercat_256.safetensors")
        tokenizer = Tokenizer.from_file(str(next((package / "tokenizers").glob("l2*.json"))))
        self._model = WordLlamaInference(next(iter(tables.values())), tokenizer)
        self._ids: list[str] = []
        self._index = Index(ndim=256, metric="cos", dtype="i8")

    def add(self, ids: list[str], texts: list[str]) -> None:
        import numpy as np

        keys = np.arange(len(self._ids), len(self._ids) + len(ids))
        self._index.add(keys, self._model.embed(texts, norm=True), threads=1)
        self._ids += ids

    def save(self) -> None:
        self._index.save(str(self.folder / "index.usearch"))
        (self.folder / "ids.json").write_text(json.dumps(self._ids))

    def open(self) -> None:
        self.create()
        self._index.load(str(self.folder / "index.usearch"))
        self._ids = json.loads((self.folder / "ids.json").read_text())

    def search(self, text: str) -> list[str]:
        found = self._index.search(self._model.embed([text], norm=True)[0], K, threads=1)
        return [self._ids[key] for key in found.keys]

    def count(self) -> int:
        return len(self._ids)


class _Fastembed(Pipeline):
    needs = ("fastembed",)

    def _load(self) -> None:
        from fastembed import TextEmbedding
        from fastembed.common.model_description import ModelSource, PoolingType

        folder = Path(self.settings["fastembed"])
        self._dim = json.loads((folder / "dim.json").read_text())
        TextEmbedding.add_custom_model(
            model="benchmark",
            pooling=PoolingType.DISABLED,
            normalization=False,
            sources=ModelSource(hf="benchmark/benchmark"),
            dim=self._dim,
            model_file="model.onnx",
        )
        self._model = TextEmbedding("benchmark", specific_model_path=str(folder), threads=1)

    def _embed(self, texts: list[str]) -> list[Any]:
        return list(self._model.embed(texts, batch_size=16))


class FastembedQdrant(_Fastembed):
    name = "fastembed int8 + qdrant-edge"
    modules = ("fastembed", "qdrant_edge")
    requirements = ("fastembed", "qdrant-edge-py")

    def create(self) -> None:
        import qdrant_edge as qdrant

        self._load()
        config = qdrant.EdgeConfig(
            vectors=qdrant.EdgeVectorParams(size=self._dim, distance=qdrant.Distance.Cosine)
        )
        self._shard = qdrant.EdgeShard.create(str(self.folder / "shard"), config)
        self._next = 0

    def add(self, ids: list[str], texts: list[str]) -> None:
        import qdrant_edge as qdrant

        points = [
            qdrant.Point(self._next + place, vector.tolist(), {"id": id_})
            for place, (id_, vector) in enumerate(zip(ids, self._embed(texts), strict=True))
        ]
        self._next += len(points)
        self._shard.update(qdrant.UpdateOperation.upsert_points(points))

    def save(self) -> None:
        self._shard.optimize()
        self._shard.flush()

    def open(self) -> None:
        import qdrant_edge as qdrant

        self._load()
        self._shard = qdrant.EdgeShard.load(str(self.folder / "shard"))

    def search(self, text: str) -> list[str]:
        import qdrant_edge as qdrant

        query = qdrant.Query.Nearest(self._embed([text])[0].tolist())
        asked = qdrant.QueryRequest(limit=K, query=query, with_payload=True)
        return [hit.payload["id"] for hit in self._shard.query(asked)]

    def count(self) -> int:
        import qdrant_edge as qdrant

        found: int = self._shard.count(qdrant.CountRequest(exact=True))
        return found


class FastembedSqliteVec(_Fastembed):
    name = "fastembed int8 + sqlite-vec"
    modules = ("fastembed", "sqlite_vec")
    requirements = ("fastembed", "sqlite-vec")

    def create(self) -> None:
        self.open()
        self._base.execute(
            f"CREATE VIRTUAL TABLE v USING vec0(id TEXT PRIMARY KEY, v float[{self._dim}])"
        )

    def open(self) -> None:
        import sqlite_vec

        try:
            import pysqlite3 as sqlite3  # where Python's own sqlite3 loads no extensions
        except ImportError:
            import sqlite3
        self._load()
        self._base: Any = sqlite3.connect(self.folder / "vec.db")
        self._base.enable_load_extension(True)
        sqlite_vec.load(self._base)

    def add(self, ids: list[str], texts: list[str]) -> None:
        vectors = (vector.tobytes() for vector in self._embed(texts))
        with self._base:
            self._base.executemany("INSERT INTO v VALUES (?, ?)", zip(ids, vectors, strict=True))

    def search(self, text: str) -> list[str]:
        asked = "SELECT id FROM v WHERE v MATCH ? AND k = ?"
        return [row[0] for row in self._base.execute(asked, (self._embed([text])[0].tobytes(), K))]

    def count(self) -> int:
        found: int = self._base.execute("SELECT count(*) FROM v").fetchone()[0]
        return found
