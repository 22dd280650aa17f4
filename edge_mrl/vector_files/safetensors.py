"""Vectors in a .safetensors file: a JSON header, then the tensors' bytes.

Read here, by the format's published rules, so that a device needs no further package for it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import VectorFileError
from edge_mrl.schema import Table, load_json
from edge_mrl.vector_files.batch import (
    Columns,
    VectorBatch,
    batch_rows,
    check_rows,
    check_shape,
    choose_vectors,
    numbered,
)

MAX_HEADER_BYTES = 4 * 2**20

_BFLOAT16 = "BF16"
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    _BFLOAT16: "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
}
_LARGEST = 2**60


@dataclass(frozen=True, slots=True)
class SafetensorsFile:
    """See `VectorFile`.

    Attributes:
        path: the file.
        count, dim: shape of the tensor.
        dtype: its type, as the format names it.
        offset: bytes before its first number.
    """

    path: Path
    count: int
    dim: int
    dtype: str
    offset: int
    token_dim: None = None

    @classmethod
    def open(cls, path: Path, columns: Columns) -> SafetensorsFile:
        """Read the header.

        Raises:
            VectorFileError: it is damaged, or does not hold a tensor of vectors.
        """
        if columns.id or columns.text or columns.metadata:
            raise VectorFileError(f"{path} holds only tensors: leave the other columns out")
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
                raise VectorFileError(
                    f"{path} is not a .safetensors file, or was cut off: its header would take "
                    f"{length} bytes"
                )
            text = stream.read(length)
        try:
            header = Table(load_json(text), f"{path}: the header", VectorFileError)
        except ValueError as error:
            if isinstance(error, VectorFileError):
                raise
            raise VectorFileError(f"{path}: the header is not JSON ({error})") from error
        tables = [name for name in header if name != "__metadata__" and _is_table(header, name)]
        name = choose_vectors(tables, columns.vectors, str(path))
        return cls._of(path, header.table(name), f"{path}: {name}", 8 + length, size)

    @classmethod
    def _of(
        cls, path: Path, entry: Table, where: str, data_start: int, size: int
    ) -> SafetensorsFile:
        dtype = entry.text("dtype")
        count, dim = check_shape(entry.integers("shape", 0, _LARGEST), where)
        begin, end = (*entry.integers("data_offsets", 0, _LARGEST), 0, 0)[:2]
        declared = count * dim * np.dtype(_DTYPES[dtype]).itemsize
        if end - begin != declared or data_start + end > size:
            raise VectorFileError(
                f"{where} declares {declared} bytes at {begin} to {end}, which the file does not "
                "hold: it is damaged or was cut off"
            )
        return cls(path, count, dim, dtype, data_start + begin)

    def batches(self) -> Iterator[VectorBatch]:
        """See `VectorFile`."""
        dtype = np.dtype(_DTYPES[self.dtype])
        row_bytes = self.dim * dtype.itemsize
        rows = batch_rows(row_bytes)
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            for first in range(0, self.count, rows):
                wanted = min(rows, self.count - first) * row_bytes
                data = stream.read(wanted)
                if len(data) != wanted:
                    raise VectorFileError(f"{self.path} ends early: it was cut off")
                raw = np.frombuffer(data, dtype).reshape(-1, self.dim)
                if self.dtype == _BFLOAT16:
                    raw = _from_bfloat16(raw)
                yield VectorBatch(check_rows(raw, numbered(self.path, first)))


def _is_table(header: Table, name: str) -> bool:
    entry = header.table(name)
    shape = entry.integers("shape", 0, _LARGEST)
    return len(shape) == 2 and math.prod(shape) > 0 and entry.text("dtype") in _DTYPES


def _from_bfloat16(raw: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """bfloat16 is the upper half of a float32."""
    return (raw.astype(np.uint32) << 16).view(np.float32)
