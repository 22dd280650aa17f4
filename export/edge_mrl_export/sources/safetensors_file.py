"""Weights of one module from its safetensors files: how many there are, a digest of them, and
float32 arrays.

The safetensors library reads them; those of transformers through torch, because numpy has no
bfloat16. The digest is of the tensors and not of the files: shards and header metadata do not
change a model."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import ExportError
from edge_mrl.slices import FloatArray

_NUMPY_TYPES = frozenset(
    {"F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8"}
)

_TABLES = frozenset({"shared", "wte", "wpe", "relative_attention_bias"})
"""Modules that are tables of rows though their names do not say embedding."""

SafeFile = Any
"""`safetensors.safe_open`: a compiled class without types."""


def count_weights(files: Sequence[Path]) -> int:
    """How many numbers the tensors of a module hold; none of them is read, and no torch needed.

    Raises:
        ExportError: a file is cut short or is not a safetensors file.
    """
    return sum(
        math.prod(file.get_slice(name).get_shape())
        for name, file in _by_name(files, "numpy").items()
    )


def count_multiplied(files: Sequence[Path]) -> int:
    """With how many of a transformer's weights each token is multiplied: those of all matrices but
    tables of which a token takes a row, and the pooler, which nobody asks.

    Raises:
        ExportError: a file is cut short or is not a safetensors file.
    """
    total = 0
    for name, file in _by_name(files, "numpy").items():
        parts, shape = name.split("."), file.get_slice(name).get_shape()
        owner = parts[-2] if len(parts) > 1 else ""
        if len(shape) == 2 and owner not in _TABLES and "pooler" not in parts:
            total += 0 if "embed" in owner else math.prod(shape)
    return total


def digest(files: Sequence[Path]) -> str:
    """SHA-256, in hex, of the tensors of a module: names, types, shapes and bytes, in order of
    name.

    Raises:
        ExportError: a file is cut short or is not a safetensors file.
    """
    import torch

    total = hashlib.sha256()
    for name, file in sorted(_by_name(files).items()):
        part = file.get_slice(name)
        total.update(json.dumps([name, part.get_dtype(), part.get_shape()]).encode())
        data = file.get_tensor(name).contiguous().reshape(-1).view(torch.uint8)
        total.update(data.numpy().data)
    return total.hexdigest()


def read_float32(files: Sequence[Path], name: str, shape: tuple[int, ...]) -> FloatArray:
    """One tensor of a module as float32, from any floating-point type.

    Raises:
        ExportError: the tensor is missing, of another shape, or not a floating-point one.
    """
    found = _by_name(files).get(name)
    if found is None:
        raise ExportError(
            f"{files[0]} has no tensor {name!r}: save the model again with sentence-transformers"
        )
    tensor = found.get_tensor(name)
    if tuple(tensor.shape) != shape:
        raise ExportError(
            f"{files[0]}: {name} has the shape {list(tensor.shape)}, but the config says "
            f"{list(shape)}: the weights and the config are of different models"
        )
    if not tensor.is_floating_point():
        raise ExportError(f"{files[0]}: {name} does not hold floating-point numbers")
    return np.asarray(tensor.float().numpy(), dtype=np.float32)


def tensor_names(files: Sequence[Path]) -> frozenset[str]:
    """The names of a module's tensors; needs no torch.

    Raises:
        ExportError: a file is cut short or is not a safetensors file.
    """
    return frozenset(_by_name(files, "numpy"))


def read_numpy(files: Sequence[Path], names: Sequence[str]) -> dict[str, npt.NDArray[np.generic]]:
    """Those of these tensors that there are, in the order asked for; needs no torch.

    Raises:
        ExportError: a file is cut short, is not a safetensors file, or holds a type that numpy does
            not have.
    """
    found = _by_name(files, "numpy")
    arrays = {}
    for name in names:
        if name in found:
            kind = found[name].get_slice(name).get_dtype()
            if kind not in _NUMPY_TYPES:
                raise ExportError(
                    f"{files[0]}: {name} is stored as {kind}, which numpy does not have: save the "
                    "model again in float32 or float16"
                )
            arrays[name] = found[name].get_tensor(name)
    return arrays


def _by_name(files: Sequence[Path], framework: str = "pt") -> dict[str, SafeFile]:
    opened = (_open(path, framework) for path in files)
    return {name: file for file in opened for name in file.keys()}  # noqa: SIM118 - no mapping


def _open(path: Path, framework: str) -> SafeFile:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, framework=framework)
    except (SafetensorError, OSError) as error:
        raise ExportError(
            f"{path} is not a whole safetensors file ({error}): copy or download the model again"
        ) from error
