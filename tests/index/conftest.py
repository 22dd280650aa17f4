"""A deterministic encoder and synthetic vectors for the index tests."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from edge_mrl.index import Index, IndexLayout

FloatArray = npt.NDArray[np.float32]


class _WordEncoder:
    """Each word has a fixed random vector; a text is their sum, at unit length."""

    def __init__(
        self,
        dim: int = 64,
        *,
        identity: str = "a1" * 32,
        model_name: str = "words",
        layout: IndexLayout | None = None,
    ) -> None:
        self.dim = dim
        self.matryoshka_dims = (16, 32, 64)
        self.identity = identity
        self.model_name = model_name
        self.index_layout = layout

    def encode_query(self, texts: Sequence[str]) -> FloatArray:
        return self._encode(texts)

    def encode_document(self, texts: Sequence[str]) -> FloatArray:
        return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> FloatArray:
        rows = np.zeros((len(texts), 64), dtype=np.float64)
        for number, text in enumerate(texts):
            for word in text.lower().split():
                generator = np.random.default_rng(zlib.crc32(word.encode()))
                rows[number] += generator.standard_normal(64)
        cut = rows[:, : self.dim]
        lengths = np.linalg.norm(cut, axis=1, keepdims=True)
        unit: FloatArray = (cut / np.where(lengths == 0, 1, lengths)).astype(np.float32)
        return unit


def _clustered(count: int, dim: int, seed: int = 0) -> FloatArray:
    """Unit vectors around some centres, with energy that falls along the coordinates as in MRL."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((max(1, count // 50), dim))
    rows = centres[generator.integers(0, len(centres), count)]
    rows = rows + 0.8 * generator.standard_normal((count, dim))
    rows *= (1 + np.arange(dim)) ** -0.3
    unit: FloatArray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _brute_force(vectors: FloatArray, query: FloatArray, k: int) -> list[int]:
    """Positions of the k nearest by cosine in float64; ties go to the lower position."""
    wide, one = vectors.astype(np.float64), query.astype(np.float64)
    cosines = wide @ one / np.linalg.norm(wide, axis=1) / np.linalg.norm(one)
    order = sorted(range(len(cosines)), key=lambda position: (-cosines[position], position))
    return order[:k]


@pytest.fixture
def word_encoder():
    """The class of the deterministic encoder."""
    return _WordEncoder


@pytest.fixture
def clustered():
    """Makes unit vectors: (count, dim, seed=0)."""
    return _clustered


@pytest.fixture
def brute_force():
    """Finds the positions of the nearest in float64: (vectors, query, k)."""
    return _brute_force


@pytest.fixture
def vector_index(tmp_path):
    """Makes an index for vectors: (dim=32, name="v.db", layout=None)."""
    made = []

    def make(dim=32, name="v.db", layout=None):
        index = Index.create(
            tmp_path / name,
            dim=dim,
            matryoshka_dims=sorted({max(1, dim // 2), dim}),
            identity="b2" * 32,
            model_name="vectors",
            layout=layout,
        )
        made.append(index)
        return index

    yield make
    for index in made:
        index.close()
