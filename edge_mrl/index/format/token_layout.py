"""How an index keeps token vectors: their width, the sizes they were trained for, their slice.
Pure. Kept as one JSON object in the table `meta`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from edge_mrl.errors import IndexFileError, InputError, SliceError
from edge_mrl.retrieval.multi_vector import MultiVector
from edge_mrl.schema import Table
from edge_mrl.slices import MAX_DIM, FloatArray, Slice, check_trained, prefix

DEFAULT_BITS = 8


class TokenLayout(NamedTuple):
    """What token vectors of an index are.

    Attributes:
        dim: the width they were made at, a trained size.
        matryoshka_dims: the sizes they were trained for, rising.
        stored: what is kept of each.
        by_model: whether the index's own model makes them of the texts; else they are brought.
    """

    dim: int
    matryoshka_dims: tuple[int, ...]
    stored: Slice
    by_model: bool = False

    @classmethod
    def checked(
        cls,
        dim: int,
        trained: Sequence[int] | None = None,
        stored: Slice | tuple[int, int] | None = None,
        *,
        by_model: bool = False,
    ) -> TokenLayout:
        """Make one from a caller's values; see `Index.create_token_index`.

        Raises:
            InputError: the sizes cannot be used.
            SliceError: the slice cannot be, or is wider than the vectors.
            UntrainedDimError: `dim` or the slice is not of a trained size.
        """
        sizes = (dim,) if trained is None else tuple(sorted(set(trained)))
        whole = all(isinstance(n, int) and not isinstance(n, bool) for n in (dim, *sizes))
        if not sizes or not whole or sizes[0] < 1 or sizes[-1] > MAX_DIM:
            raise InputError(
                f"the sizes {list(sizes)} of token vectors cannot be used: "
                f"give whole numbers from 1 to {MAX_DIM}"
            )
        check_trained(dim, sizes)
        kept = Slice(dim, DEFAULT_BITS) if stored is None else stored
        if not isinstance(kept, Slice):
            kept = Slice(*kept)
        check_trained(kept.dim, sizes)
        if kept.dim > dim:
            raise SliceError(
                f"the slice {kept} is wider than the token vectors, which have {dim} dimensions: "
                "choose a smaller one"
            )
        return cls(dim, sizes, kept, by_model)

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of token vectors that can be cut to what is kept, rising."""
        return tuple(size for size in self.matryoshka_dims if self.stored.dim <= size)

    def resliced(self, wanted: Slice) -> TokenLayout:
        """The layout of token vectors that are cut from those kept this way.

        Raises:
            UntrainedDimError: the slice is not of a trained size.
            SliceError: it needs more than is kept.
        """
        if wanted.dim > self.stored.dim or wanted.bits > self.stored.bits:
            raise SliceError(
                f"{wanted} cannot be cut from token vectors kept as {self.stored}: choose at most "
                f"{self.stored.dim} dimensions and {self.stored.bits} bits"
            )
        sizes = self.matryoshka_dims
        return TokenLayout.checked(self.dim, sizes, wanted, by_model=self.by_model)

    def cut(self, vectors: MultiVector, what: str) -> FloatArray:
        """Token vectors at the stored width.

        Args:
            vectors: of a trained width that is not below the stored one.
            what: names them in messages.

        Returns:
            (tokens, stored dim) float32 of unit length.

        Raises:
            InputError: they have another width, or one has no direction in what is kept.
        """
        if vectors.dim not in self.widths:
            raise InputError(
                f"{what} have {vectors.dim} dimensions, which do not fit this index: "
                f"give {' or '.join(map(str, self.widths))}"
            )
        units = prefix(vectors.vectors, self.stored.dim)
        empty = ~units.any(axis=1)
        if empty.any():
            raise InputError(
                f"{what}: the first {self.stored.dim} coordinates of token {empty.argmax()} "
                "(counted from 0) are all zeros and have no direction: leave it out"
            )
        return units

    def to_json(self) -> str:
        """The JSON text that is stored."""
        return json.dumps(
            {
                "dim": self.dim,
                "matryoshka_dims": list(self.matryoshka_dims),
                "stored": str(self.stored),
                "by_model": self.by_model,
            }
        )

    @classmethod
    def from_json(cls, text: str, where: str) -> TokenLayout:
        """Read it back.

        Raises:
            IndexFileError: it is not what `to_json` writes.
        """
        try:
            table = Table(json.loads(text), where, IndexFileError)
            return cls.checked(
                table.integer("dim", 1, MAX_DIM),
                table.integers("matryoshka_dims", 1, MAX_DIM),
                Slice.parse(table.text("stored")),
                by_model="by_model" in table and table.flag("by_model"),
            )
        except (json.JSONDecodeError, RecursionError, InputError, SliceError) as error:
            raise IndexFileError(
                f"{where} is damaged ({error}): delete the token index and add the vectors again"
            ) from error
