"""Reading safetensors files: sizes, one digest that does not depend on the file's layout, and
float32 tensors.

The format (https://github.com/huggingface/safetensors) is eight bytes of header length, a JSON
header that gives each tensor's type, shape and place, then the tensors. It is read here rather than
by the library because numpy has no bfloat16, and because the digest must be of the tensors and not
of how they were written down.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_mrl.errors import ExportError
from edge_mrl.schema import Table
from edge_mrl.slices import FloatArray

MAX_HEADER_BYTES = 100_000_000
"""The format's own limit on the header."""

_ITEM_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where one tensor lies: `start` is its offset in the file, `length` its size, in bytes."""

    file: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    length: int

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def list_tensors(path: Path) -> tuple[StoredTensor, ...]:
    """The tensors of one file, by name.

    Raises:
        ExportError: the file is cut short, or its header is not that of a safetensors file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= header_bytes <= min(size - 8, MAX_HEADER_BYTES):
            raise ExportError(
                f"{path} is not a whole safetensors file: copy or download the model again"
            )
        try:
            header = json.loads(file.read(header_bytes))
        except (ValueError, RecursionError) as error:
            raise ExportError(
                f"{path} has an unreadable header ({error}): copy the model again"
            ) from error
    table = Table(header, str(path), ExportError)
    data_start = 8 + header_bytes
    return tuple(
        _stored(path, name, table.table(name), data_start, size)
        for name in sorted(table)
        if name != "__metadata__"
    )


def _stored(path: Path, name: str, entry: Table, data_start: int, size: int) -> StoredTensor:
    dtype = entry.text("dtype")
    if dtype not in _ITEM_BYTES:
        entry.fail(
            f"the number type {dtype!r} cannot be exported: save the model in float32 or float16"
        )
    offsets = entry.integers("data_offsets", 0, size)
    shape = entry.integers("shape", 0, 2**40)
    expected = math.prod(shape) * _ITEM_BYTES[dtype]
    if len(offsets) != 2 or offsets[1] - offsets[0] != expected or data_start + offsets[1] > size:
        entry.fail("the tensor does not lie within the file: copy or download the model again")
    return StoredTensor(path, name, dtype, shape, data_start + offsets[0], expected)


def digest(files: Sequence[Path]) -> str:
    """SHA-256, in hex, of the tensors of one module: names, types, shapes and bytes, in order of
    name.

    The same weights give the same digest whether they lie in one file or in shards, and whatever
    else the header says.
    """
    total = hashlib.sha256()
    tensors = (tensor for path in files for tensor in list_tensors(path))
    for tensor in sorted(tensors, key=lambda tensor: tensor.name):
        total.update(json.dumps([tensor.name, tensor.dtype, tensor.shape]).encode())
        with tensor.file.open("rb") as file:
            file.seek(tensor.start)
            left = tensor.length
            while left:
                chunk = file.read(min(left, _CHUNK))
                if not chunk:
                    raise ExportError(
                        f"{tensor.file} became shorter while it was read: export again"
                    )
                total.update(chunk)
                left -= len(chunk)
    return total.hexdigest()


def read_float32(files: Sequence[Path], name: str, shape: tuple[int, ...]) -> FloatArray:
    """One tensor of a module's `files` as float32, from float32, float16, bfloat16 or float64.

    Raises:
        ExportError: the tensor is missing, of another shape, or not a floating-point one.
    """
    found = {tensor.name: tensor for path in files for tensor in list_tensors(path)}
    if name not in found:
        raise ExportError(
            f"{files[0]} has no tensor {name!r}: save the model again with sentence-transformers"
        )
    tensor = found[name]
    path = tensor.file
    if tensor.shape != shape:
        raise ExportError(
            f"{path}: {name} has the shape {list(tensor.shape)}, but the config says "
            f"{list(shape)}: the weights and the config are of different models"
        )
    with path.open("rb") as file:
        file.seek(tensor.start)
        data = file.read(tensor.length)
    if tensor.dtype == "BF16":
        # A bfloat16 is the upper half of a float32.
        halves = np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16
        return halves.view(np.float32).reshape(shape)
    types = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
    if tensor.dtype not in types:
        raise ExportError(f"{path}: {name} holds {tensor.dtype} numbers, not floating-point ones")
    return np.frombuffer(data, dtype=types[tensor.dtype]).astype(np.float32).reshape(shape)
