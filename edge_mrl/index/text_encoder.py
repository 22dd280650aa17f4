"""What an index needs of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.slices import FloatArray


class TextEncoder(Protocol):
    """Text to vectors. `edge_mrl.Encoder` is one; any object with these members will do."""

    @property
    def identity(self) -> str:
        """Hexadecimal name of the vector space: equal for encoders whose vectors may be
        compared."""

    @property
    def model_name(self) -> str:
        """The model's name, for people."""

    @property
    def dim(self) -> int:
        """Width of the vectors it returns, a trained size."""

    @property
    def matryoshka_dims(self) -> tuple[int, ...]:
        """The trained sizes."""

    @property
    def index_layout(self) -> IndexLayout | None:
        """The layout that a plan chose for a new index, or None."""

    def encode_query(self, texts: Sequence[str], /) -> FloatArray:
        """Queries to (n, dim) float32, rows of unit length."""

    def encode_document(self, texts: Sequence[str], /) -> FloatArray:
        """Documents to (n, dim) float32, rows of unit length."""
