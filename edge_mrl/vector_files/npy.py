"""Vectors in a .npy file: an array of shape (vectors, dimensions), and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge_mrl.errors import VectorFileError
from edge_mrl.vector_files.batch import (
    Columns,
    VectorBatch,
    batch_rows,
    check_rows,
    check_shape,
    numbered,
)
from edge_mrl.vector_files.npy_array import ArrayHeader, read_header, read_rows


@dataclass(frozen=True, slots=True)
class NpyFile:
    """See `VectorFile`. It is read, not mapped: a file that is cut off meanwhile is an error, where
    a mapped one kills the process."""

    path: Path
    header: ArrayHeader
    token_dim: None = None

    @classmethod
    def open(cls, path: Path, columns: Columns) -> NpyFile:
        """Read the header.

        Raises:
            VectorFileError: it is not an array of vectors.
        """
        if columns != Columns():
            raise VectorFileError(f"{path} holds one array without names: leave the names out")
        with path.open("rb") as stream:
            header = read_header(stream, path.stat().st_size, str(path))
        if header.dtype.kind not in "fiu":
            raise VectorFileError(f"{path} holds {header.dtype}, not numbers: save float32")
        return cls(path, replace(header, shape=check_shape(header.shape, str(path))))

    @property
    def dim(self) -> int:
        """See `VectorFile`."""
        return self.header.shape[1]

    @property
    def count(self) -> int:
        """See `VectorFile`."""
        return self.header.shape[0]

    def batches(self) -> Iterator[VectorBatch]:
        """See `VectorFile`."""
        first = 0
        with self.path.open("rb") as stream:
            stream.seek(self.header.offset)
            rows = batch_rows(self.header.row_bytes)
            for raw in read_rows(stream, self.header, rows, str(self.path)):
                yield VectorBatch(check_rows(raw, numbered(self.path, first)))
                first += len(raw)
