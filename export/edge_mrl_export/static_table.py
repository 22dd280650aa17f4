"""Variants of a static model: int8 rows with one scale each, as .npy files for numpy and inside an
ONNX or TFLite graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_mrl.bundle.manifest import VariantFormat
from edge_mrl.errors import ExportError
from edge_mrl_export.extras import require
from edge_mrl_export.graphs.static import static_graph
from edge_mrl_export.lite.static import static_tflite
from edge_mrl_export.model import BuiltVariant, VariantRequest

MIN_COSINE = 0.9999
REASON = (
    "int8 rows with a scale each lose less than one part in ten thousand; more would be a fault"
)


def quantize_rows(
    table: npt.NDArray[np.floating],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Symmetric int8 with one scale a row: ``row = scale * codes``, ``scale = max|row| / 127``.

    Args:
        table: (vocabulary, dim), any float type.

    Returns:
        codes (vocabulary, dim) int8 in -127..127, and scales (vocabulary,) float32. A row of zeros
        has scale 0.
    """
    rows = np.asarray(table, dtype=np.float32)
    scales = np.abs(rows).max(axis=1) / np.float32(127)
    codes = np.rint(rows / np.where(scales == 0, 1, scales)[:, None])
    return codes.astype(np.int8), scales.astype(np.float32)


def check_static_request(request: VariantRequest) -> None:
    """Refuse what a static model has not.

    Raises:
        ExportError: it has no such format or precision, or what writes and runs it is not
            installed.
    """
    if request.precision != "int8-portable":
        raise ExportError(
            f"a static model has no {request.format} at {request.precision}: it can give table, "
            "onnx and tflite at int8-portable"
        )
    if request.format == "onnx":
        require("onnx", "onnxruntime", extra="export-static", what="onnx variant")
    elif request.format == "tflite":
        require("ai_edge_litert", extra="litert", what="tflite variant")


def build_static_variants(
    table: npt.NDArray[np.floating], dims: tuple[int, ...], request: VariantRequest, folder: Path
) -> tuple[BuiltVariant, ...]:
    """Write one format of a static model.

    A table is written for each trained size, largest first: the device then loads no column it does
    not need. The ONNX and TFLite graphs hold the largest: one is cut inside, the other by the
    runtime.

    Args:
        table: (vocabulary, dim) the model.
        dims: trained sizes in rising order, the last equal to dim.
        request: the format and precision.
        folder: the bundle's folder.

    Raises:
        ExportError: a static model has no such format or precision, or the package that writes it
            is not installed.
    """
    check_static_request(request)
    if request.format == "onnx":
        return (_onnx(table, dims, folder, request.token_vectors),)
    if request.format == "tflite":
        return (_tflite(table, dims, folder, request.token_vectors),)
    return tuple(
        _table(
            table[:, :dim], [size for size in dims if size <= dim], folder, request.token_vectors
        )
        for dim in reversed(dims)
    )


def _table(
    table: npt.NDArray[np.floating], dims: Sequence[int], folder: Path, token_vectors: bool
) -> BuiltVariant:
    codes, scales = quantize_rows(table)
    (folder / "table").mkdir(exist_ok=True)
    files = (f"table/int8-{dims[-1]}.rows.npy", f"table/int8-{dims[-1]}.scales.npy")
    for file, array in zip(files, (codes, scales.astype("<f4")), strict=True):
        np.save(folder / file, np.ascontiguousarray(array), allow_pickle=False)
    return _built(f"table-int8-{dims[-1]}", "table", dims, files, token_vectors=token_vectors)


def _onnx(
    table: npt.NDArray[np.floating], dims: Sequence[int], folder: Path, token_vectors: bool
) -> BuiltVariant:
    from edge_mrl_export.graphs.files import write_graph

    model = static_graph(*quantize_rows(table), token_vectors=token_vectors)
    names = write_graph(model, folder / "onnx/int8-portable.onnx")
    files = tuple(f"onnx/{name}" for name in names)
    return _built("onnx-int8-portable", "onnx", dims, files, token_vectors=token_vectors)


def _tflite(
    table: npt.NDArray[np.floating], dims: Sequence[int], folder: Path, token_vectors: bool
) -> BuiltVariant:
    (folder / "tflite").mkdir(exist_ok=True)
    file = "tflite/int8-portable.tflite"
    (folder / file).write_bytes(static_tflite(*quantize_rows(table), token_vectors=token_vectors))
    engines = ("ai-edge-litert", "tflite-runtime")
    return _built(
        "tflite-int8-portable", "tflite", dims, (file,), engines, token_vectors=token_vectors
    )


def _built(
    name: str,
    format_: VariantFormat,
    dims: Sequence[int],
    files: tuple[str, ...],
    engines: tuple[str, ...] = (),
    *,
    token_vectors: bool = False,
) -> BuiltVariant:
    return BuiltVariant(
        name=name,
        format=format_,
        precision="int8-portable",
        dims=tuple(dims),
        files=files,
        pad_invariant=True,
        session_options={},
        min_cosine=MIN_COSINE,
        reason=REASON,
        engines=engines,
        token_vectors=token_vectors,
    )
