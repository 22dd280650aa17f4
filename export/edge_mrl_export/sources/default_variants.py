"""What is made of a transformer where nobody says: the variants that a small board wants."""

from __future__ import annotations

from edge_mrl.bundle.manifest import Precision
from edge_mrl_export.extras import installed
from edge_mrl_export.lite.variants import MODULES as LITE_MODULES
from edge_mrl_export.lite.variants import WHERE
from edge_mrl_export.model import Gap, VariantRequest
from edge_mrl_export.sources.size_limit import fits, size

MAX_FP32_BYTES = 2_000_000_000
"""A board with the memory for more takes a smaller variant, and it would be most of the bundle."""


def default_requests(weights: int) -> tuple[VariantRequest, ...]:
    """TFLite int8-fast where litert-torch is installed and the model fits a file; ONNX int8-fast,
    int8-portable, and fp32 where it is not too large."""
    onnx: tuple[Precision, ...] = ("int8-fast", "int8-portable")
    if size(weights, "fp32") <= MAX_FP32_BYTES:
        onnx = (*onnx, "fp32")
    requests = tuple(VariantRequest("onnx", precision) for precision in onnx)
    if installed(*LITE_MODULES) and fits(weights, "tflite", "int8-fast"):
        return (VariantRequest("tflite", "int8-fast"), *requests)
    return requests


def default_gaps(weights: int) -> tuple[Gap, ...]:
    """Which format or precision is not there, and why."""
    gaps = []
    if not fits(weights, "tflite", "int8-fast"):
        why = (
            f"no TFLite, since {weights / 1e6:.0f} million weights are more than the 2 GB that one "
            "file holds"
        )
        gaps.append(Gap("tflite", None, why))
    elif not installed(*LITE_MODULES):
        why = (
            "no TFLite, since litert-torch is not installed: for it, run `pip install "
            f"'edge-mrl[export]'`{WHERE}"
        )
        gaps.append(Gap("tflite", None, why))
    fp32 = size(weights, "fp32")
    if fp32 > MAX_FP32_BYTES:
        why = (
            f"no ONNX fp32, which would take {fp32 / 1e9:.1f} GB: --formats onnx --precision fp32 "
            "writes it"
        )
        gaps.append(Gap("onnx", "fp32", why))
    return tuple(gaps)
