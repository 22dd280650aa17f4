"""Vectors to measure on: real texts through a bundle, and more of the same kind."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_mrl import Encoder
from edge_mrl.slices import FloatArray, normalize

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_LEAST_LETTERS = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """Documents and queries of unit length.

    Attributes:
        documents: (n, dim) float32.
        queries: (m, dim) float32; texts of their own, none of them a document.
        kind: one sentence on where they come from.
    """

    documents: FloatArray
    queries: FloatArray
    kind: str


def read_texts(folder: Path) -> tuple[list[str], list[str]]:
    """Descriptions and their sentences, without repetitions; and the one-line summaries.

    Args:
        folder: holds ``pairs.jsonl.gz`` with the fields `query` and `doc`.
    """
    documents: dict[str, None] = {}
    queries: dict[str, None] = {}
    with gzip.open(folder / "pairs.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            pair = json.loads(line)
            queries[pair["query"]] = None
            documents[pair["doc"]] = None
            for sentence in _SENTENCE_END.split(pair["doc"]):
                if len(sentence) >= _LEAST_LETTERS:
                    documents[sentence.strip()] = None
    return list(documents), [query for query in queries if query not in documents]


def embed(folder: Path, bundle: Path, cache: Path, queries: int) -> Sample:
    """Real texts as vectors, in a random order with a fixed seed.

    Args:
        folder: see `read_texts`.
        bundle: a bundle for `Encoder.load`.
        cache: a file for the vectors; made where it is missing.
        queries: how many queries, drawn from the summaries.
    """
    if not cache.exists():
        texts, summaries = read_texts(folder)
        generator = np.random.default_rng(0)
        asked = generator.permutation(len(summaries))[:1000]
        encoder = Encoder.load(bundle)
        np.savez(
            cache,
            documents=_embedded(encoder.encode_document, texts, generator),
            queries=encoder.encode_query([summaries[number] for number in asked]),
        )
    with np.load(cache) as found:
        kept = found["queries"][:queries]
        return Sample(
            np.ascontiguousarray(found["documents"], dtype=np.float32),
            np.ascontiguousarray(kept[kept.any(axis=1)], dtype=np.float32),
            f"{len(found['documents'])} Debian package descriptions and their sentences; "
            f"queries: {len(kept)} package summaries",
        )


def _embedded(encode, texts, generator) -> FloatArray:
    order = generator.permutation(len(texts))
    parts = [
        encode([texts[number] for number in order[start : start + 1000]])
        for start in range(0, len(order), 1000)
    ]
    vectors = np.concatenate(parts)
    return vectors[vectors.any(axis=1)]


def enlarged(sample: Sample, size: int) -> Sample:
    """More documents, drawn from a distribution fitted to the real ones.

    Each is the sum of two real documents' vectors with weights t and 1 - t, t uniform in 0.6..1,
    plus normal noise with a tenth of the real vectors' covariance; then scaled to length 1. That
    keeps the spectrum, the clusters and the spread of similarities near the real ones.

    Args:
        sample: real vectors.
        size: documents wanted; the real ones come first.
    """
    real = sample.documents
    if size <= len(real):
        return Sample(real[:size], sample.queries, sample.kind)
    generator = np.random.default_rng(1)
    centred = real - real.mean(axis=0)
    root = np.linalg.cholesky(centred.T @ centred / len(real) + 1e-9 * np.eye(real.shape[1]))
    root = (np.sqrt(0.1) * root).T.astype(np.float32)
    documents = np.empty((size, real.shape[1]), dtype=np.float32)
    documents[: len(real)] = real
    for start in range(len(real), size, 50_000):
        stop = min(start + 50_000, size)
        pairs = generator.integers(0, len(real), (2, stop - start))
        weight = generator.uniform(0.6, 1, stop - start).astype(np.float32)[:, None]
        noise = generator.standard_normal((stop - start, real.shape[1]), dtype=np.float32) @ root
        mixed = weight * real[pairs[0]] + (1 - weight) * real[pairs[1]] + noise
        documents[start:stop] = normalize(mixed)
    kind = f"the {len(real)} real ones, and mixtures of two of them with normal noise"
    return Sample(documents, sample.queries, f"{sample.kind}; documents: {kind}")
