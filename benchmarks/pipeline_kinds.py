"""The pipelines that are compared: ours, forty lines by hand, and those of other libraries. They
import when they are used."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from benchmarks.pipeline import K, Pipeline
from benchmarks.pipeline_rivals import (
    FastembedQdrant,
    FastembedSqliteVec,
    SentenceTransformersFaiss,
    WordllamaUsearch,
)


class _EdgeMrl(Pipeline):
    modules = ("edge_mrl",)
    bundle: str
    variant: str | None = None

    def _load(self) -> None:
        from edge_mrl import Encoder, Index

        encoder = Encoder.load(self.settings[self.bundle], variant=self.variant)
        self._index = Index.open(self.folder / "index.db", encoder)

    create = open = _load

    def add(self, ids: list[str], texts: list[str]) -> None:
        self._index.add(texts, ids=ids)

    def save(self) -> None:
        self._index.optimize()

    def search(self, text: str) -> list[str]:
        return [str(hit.id) for hit in self._index.search(text, K)]

    def count(self) -> int:
        return self._index.count()


class EdgeMrlTransformer(_EdgeMrl):
    name = "edge_mrl, transformer bundle + Index"
    modules = ("edge_mrl", "onnxruntime")
    requirements = ("edge-mrl[onnx]",)
    pinned = "device-onnx.txt"
    bundle = "bundle"
    variant = "onnx-int8-fast"
    needs = ("bundle",)


class EdgeMrlTflite(_EdgeMrl):
    name = "edge_mrl, transformer bundle as TFLite + Index"
    modules = ("edge_mrl", "ai_edge_litert")
    requirements = ("edge-mrl[litert]",)
    pinned = "device-litert.txt"
    bundle = "tflite"
    variant = "tflite-int8-fast"
    needs = ("tflite",)


class EdgeMrlStatic(_EdgeMrl):
    name = "edge_mrl, static bundle + Index"
    requirements = ("edge-mrl",)
    pinned = "device-static.txt"
    bundle = "static"
    needs = ("static",)


class ByHand(Pipeline):
    """What one would write without any of this: the bundle's int8 graph and two files. Every add
    writes all documents again and waits for the disk."""

    name = "by hand: onnxruntime int8 + tokenizers + .npy"
    modules = ("onnxruntime", "tokenizers", "numpy")
    requirements = ("onnxruntime", "tokenizers", "numpy")
    needs = ("bundle",)

    def create(self) -> None:
        import numpy as np
        import onnxruntime
        from tokenizers import Tokenizer

        bundle = Path(self.settings["bundle"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        graph = str(bundle / "onnx" / "int8-fast.onnx")
        self._session = onnxruntime.InferenceSession(graph, options)
        self._inputs = {given.name for given in self._session.get_inputs()}
        self._tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))
        manifest = json.loads((bundle / "manifest.json").read_text())
        self._tokenizer.enable_truncation(manifest["tokenizer"]["max_tokens"])
        self._tokenizer.enable_padding()
        self._dim = manifest["embedding"]["dim"]
        self._ids: list[str] = []
        self._vectors = np.empty((0, self._dim), np.float32)

    def _embed(self, texts: list[str]) -> Any:
        import numpy as np

        encodings = self._tokenizer.encode_batch(texts)
        ids = np.array([encoding.ids for encoding in encodings])
        mask = np.array([encoding.attention_mask for encoding in encodings])
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        feeds["dim"] = np.array([self._dim])
        return self._session.run(None, {key: feeds[key] for key in self._inputs})[0]

    def add(self, ids: list[str], texts: list[str]) -> None:
        import numpy as np

        vectors = np.empty((len(texts), self._dim), np.float32)
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(order), 16):
            part = order[start : start + 16]
            vectors[part] = self._embed([texts[place] for place in part])
        self._ids += ids
        self._vectors = np.concatenate([self._vectors, vectors])
        with (self.folder / "vectors.npy").open("wb") as file:
            np.save(file, self._vectors)
            file.flush()
            os.fsync(file.fileno())
        with (self.folder / "ids.json").open("w") as file:
            json.dump(self._ids, file)
            file.flush()
            os.fsync(file.fileno())

    def open(self) -> None:
        import numpy as np

        self.create()
        self._vectors = np.load(self.folder / "vectors.npy")
        self._ids = json.loads((self.folder / "ids.json").read_text())

    def search(self, text: str) -> list[str]:
        import numpy as np

        scores = self._vectors @ self._embed([text])[0]
        best = np.argpartition(-scores, K)[:K]
        return [self._ids[place] for place in best[np.argsort(-scores[best])]]

    def count(self) -> int:
        return len(self._ids)


PIPELINES: dict[str, type[Pipeline]] = {
    kind.__name__: kind
    for kind in (
        EdgeMrlTransformer,
        EdgeMrlTflite,
        EdgeMrlStatic,
        ByHand,
        FastembedQdrant,
        FastembedSqliteVec,
        SentenceTransformersFaiss,
        WordllamaUsearch,
    )
}
