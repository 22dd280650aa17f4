"""What of a large model fits one file."""

from __future__ import annotations

from edge_mrl.bundle.manifest import Precision
from edge_mrl.errors import ExportError

MAX_FILE_BYTES = 2**31
"""Neither protobuf, which ONNX is written in, nor flatbuffers, TFLite's, hold more."""

_GRAPH_BYTES = 2**24
"""Room for the nodes: a hundred layers take about four megabytes."""

_BITS: dict[Precision, int] = {
    "fp32": 32,
    "fp16": 16,
    "int8-fast": 8,
    "int8-portable": 8,
    "int4": 4,
}


def fits(weights: int, precision: Precision) -> bool:
    """Whether so many weights may fit one file; scales and what stays in more bits come on top."""
    return weights * _BITS[precision] // 8 + _GRAPH_BYTES <= MAX_FILE_BYTES


def check_size(weights: int, precision: Precision) -> None:
    """Refuse what does not fit one file.

    Raises:
        ExportError: it does not; what fits is named.
    """
    if fits(weights, precision):
        return
    smaller = [other for other in _BITS if fits(weights, other)]
    advice = f"choose of {', '.join(smaller)}" if smaller else "choose a smaller model"
    raise ExportError(
        f"the model has {weights / 1e6:.0f} million weights, which take "
        f"{weights * _BITS[precision] / 8e9:.1f} GB as {precision}, and one file of ONNX or TFLite "
        f"holds 2 GB: {advice}"
    )
