"""The packages that can run a format, and which of them a variant names. Pure."""

from __future__ import annotations

from edge_mrl.bundle.manifest import Variant, VariantFormat

ENGINES: dict[VariantFormat, tuple[str, ...]] = {
    "table": ("numpy",),
    "onnx": ("onnxruntime",),
    "tflite": ("ai-edge-litert", "tflite-runtime"),
}
"""Format -> its engines, as pip names them, in the order of preference: tflite-runtime ended in
2023."""

ALL_ENGINES = tuple(engine for engines in ENGINES.values() for engine in engines)


def engines_for(variant: Variant) -> tuple[str, ...]:
    """The engines that a variant names, of those of its format; all of them where it names none."""
    return tuple(
        engine
        for engine in ENGINES[variant.format]
        if not variant.engines or engine in variant.engines
    )
