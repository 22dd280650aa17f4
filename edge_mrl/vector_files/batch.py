"""What a file of vectors holds, whatever its format: rows of numbers, and perhaps ids, texts,
metadata and token vectors beside them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import InputError, VectorFileError
from edge_mrl.retrieval.multi_vector import MultiVector
from edge_mrl.slices import MAX_DIM, FloatArray

DocumentId = int | str

Place = Callable[[int], str]
"""Position of a row in a batch -> how a message names it."""

VECTOR_NAMES = ("vectors", "vector", "embeddings", "embedding", "emb")
ID_NAMES = ("_id", "id", "ids")
TEXT_NAMES = ("text", "texts")
METADATA_NAME = "metadata"
TOKEN_NAMES = ("token_vectors", "token_embeddings")

BATCH_BYTES = 8 * 2**20
"""What the rows of one batch take at most in the file, however many a file has; their token vectors
take this and those of one document more at most."""

BATCH_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Columns:
    """Where in a file things are; None where the usual names say it.

    Attributes:
        vectors: the array, column or field with the vectors; default one of `VECTOR_NAMES`, or the
            only one that can be it.
        id: default one of `ID_NAMES`, where there is one.
        text: default one of `TEXT_NAMES`, where there is one.
        metadata: columns or fields that become entries of each document's metadata, beside those of
            the column `metadata`, where there is one.
        tokens: the array or field with the token vectors; default one of `TOKEN_NAMES`, where there
            is one.
    """

    vectors: str | None = None
    id: str | None = None
    text: str | None = None
    metadata: tuple[str, ...] = ()
    tokens: str | None = None


@dataclass(frozen=True, slots=True)
class VectorBatch:
    """Some documents, in the order of the file.

    Attributes:
        vectors: (n, dim) float32, finite, no row of zeros. Not normalised.
        ids: n ids, or None where the file has none.
        texts: n texts, or None where the file has none.
        metadata: n JSON objects, or None where the file has none.
        tokens: n documents' token vectors, None for one that has none; None where the file has
            none.
    """

    vectors: FloatArray
    ids: list[DocumentId] | None = None
    texts: list[str] | None = None
    metadata: list[dict[str, object]] | None = None
    tokens: list[MultiVector | None] | None = None

    def __len__(self) -> int:
        return len(self.vectors)


class VectorFile(Protocol):
    """A file of vectors whose header was read and checked."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def dim(self) -> int:
        """Width of the vectors."""

    @property
    def count(self) -> int | None:
        """How many there are; None where only reading the whole file tells."""

    @property
    def token_dim(self) -> int | None:
        """Width of the token vectors; None where the file has none."""

    def batches(self) -> Iterator[VectorBatch]:
        """The documents, read as they are needed, in bounded memory.

        Raises:
            VectorFileError: the file is not what its header said, or a row cannot be used.
        """


def batch_rows(row_bytes: int) -> int:
    """How many rows of so many bytes are read at once."""
    return max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, row_bytes)))


def check_shape(shape: Sequence[int], where: str) -> tuple[int, int]:
    """Rows and width of an array of vectors; a single vector is one row.

    Raises:
        VectorFileError: it has another number of axes, no row, or a width that cannot be.
    """
    rows, *rest = (1, *shape) if len(shape) < 2 else shape
    if len(rest) != 1 or rows < 1 or not 1 <= rest[0] <= MAX_DIM:
        raise VectorFileError(
            f"{where} has the shape {tuple(shape)}: give one of (vectors, dimensions), with at "
            f"least one vector and 1 to {MAX_DIM} dimensions"
        )
    return rows, rest[0]


def numbered(path: Path, first: int) -> Place:
    """Places in a file whose vectors are counted from 0.

    Args:
        path: the file.
        first: position in the file of a batch's first row.
    """
    return lambda row: f"{path}: vector {first + row} (counted from 0)"


def check_rows(raw: npt.NDArray[Any], place: Place) -> FloatArray:
    """Rows of numbers as float32.

    Args:
        raw: (n, dim) numbers of any kind.
        place: names a row in errors.

    Raises:
        VectorFileError: a row is not finite as float32, or all zeros; names it.
    """
    # Numbers too large and signalling NaNs warn when they are only looked at.
    with np.errstate(over="ignore", invalid="ignore"):
        rows: FloatArray = raw.astype(np.float32)
        unusable = ~np.isfinite(rows).all(axis=1)
        empty = ~rows.any(axis=1)
    for bad, what in (
        (unusable, "is not finite (NaN, infinite, or too large for float32)"),
        (empty, "is all zeros and has no direction"),
    ):
        found = np.flatnonzero(bad)
        if found.size:
            raise VectorFileError(f"{place(int(found[0]))} {what}: leave it out")
    return rows


def token_vectors(raw: npt.ArrayLike, dim: int, where: str) -> MultiVector:
    """A document's token vectors.

    Args:
        raw: (tokens, dim) numbers.
        dim: the width of the file's first.
        where: names them in errors.

    Raises:
        VectorFileError: they have another width, or are no token vectors; see `MultiVector`.
    """
    try:
        found = MultiVector(raw, where)
    except InputError as error:
        raise VectorFileError(str(error)) from error
    if found.dim != dim:
        raise VectorFileError(
            f"{where} have {found.dim} dimensions, the first have {dim}: give all the same width"
        )
    return found


def choose_vectors(candidates: Sequence[str], wanted: str | None, where: str) -> str:
    """Which of the arrays, columns or fields holds the vectors.

    Args:
        candidates: the names of those that could.
        wanted: the name that the caller gave, or None.
        where: names the file.

    Raises:
        VectorFileError: there is none, or nobody can tell which.
    """
    shown = ", ".join(sorted(candidates)[:10]) or "none"
    if wanted is not None:
        if wanted not in candidates:
            raise VectorFileError(f"{where} has no vectors named {wanted!r}: it has {shown}")
        return wanted
    usual = [name for name in candidates if name in VECTOR_NAMES] or list(candidates)
    if not usual:
        raise VectorFileError(f"{where} holds no vectors: rows of numbers are expected")
    if len(usual) > 1:
        raise VectorFileError(
            f"{where} could hold its vectors in any of {shown}: name the right one (--column)"
        )
    return usual[0]


def choose_named(
    present: Sequence[str], wanted: str | None, usual: Sequence[str], where: str
) -> str | None:
    """Which of the names holds ids or texts; None where there is none and none was asked for.

    Raises:
        VectorFileError: the wanted one is not there.
    """
    if wanted is not None and wanted not in present:
        shown = ", ".join(sorted(present)[:10])
        raise VectorFileError(f"{where} has no column {wanted!r}: it has {shown}")
    return wanted or next((name for name in usual if name in present), None)
