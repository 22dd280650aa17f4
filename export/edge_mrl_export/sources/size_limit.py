"""Which files hold how large a model."""

from __future__ import annotations

from edge_mrl.bundle.manifest import Precision, VariantFormat
from edge_mrl.errors import ExportError
from edge_mrl_export.precision.techniques import TFLITE_TECHNIQUES

MAX_TFLITE_BYTES = 2**31
"""Flatbuffers, the format of TFLite files, hold no more. ONNX has no such bound: its weights lie in
a file beside the graph."""

_GRAPH_BYTES = 2**24
"""Room for the nodes: a hundred layers take about four megabytes."""

_BITS: dict[Precision, int] = {
    "fp32": 32,
    "fp16": 16,
    "int8-fast": 8,
    "int8-portable": 8,
    "int4": 4,
}


def fits(weights: int, format_: VariantFormat, precision: Precision) -> bool:
    """Whether so many weights may fit a file; scales and what stays in more bits come on top."""
    return format_ != "tflite" or size(weights, precision) + _GRAPH_BYTES <= MAX_TFLITE_BYTES


def size(weights: int, precision: Precision) -> int:
    """Bytes of so many weights."""
    return weights * _BITS[precision] // 8


def check_size(weights: int, format_: VariantFormat, precision: Precision) -> None:
    """Refuse what does not fit one file.

    Raises:
        ExportError: it does not; what fits is named.
    """
    if fits(weights, format_, precision):
        return
    smaller = [other for other in TFLITE_TECHNIQUES if fits(weights, format_, other)]
    advice = f"choose tflite with {' or '.join(smaller)}, or onnx" if smaller else "choose onnx"
    raise ExportError(
        f"the model has {weights / 1e6:.0f} million weights, which take "
        f"{size(weights, precision) / 1e9:.1f} GB as {precision}, and one TFLite file holds 2 GB: "
        f"{advice}"
    )
