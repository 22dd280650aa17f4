"""Which engines can run a variant, and which of them are installed. Nothing is imported to find
out."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from edge_mrl.bundle.manifest import Variant

TFLITE_ENGINES = ("ai_edge_litert", "tflite_runtime")
"""Import names in the order of preference: tflite-runtime ended in 2023."""


def engines_for(variant: Variant, modules: Sequence[str]) -> tuple[str, ...]:
    """Those of a format's modules that the variant names as its engines; all where it names
    none."""
    named = [engine.replace("-", "_") for engine in variant.engines]
    return tuple(name for name in modules if not named or name in named)


def first_installed(modules: Sequence[str]) -> str | None:
    """The first module that can be imported here."""
    return next((name for name in modules if importlib.util.find_spec(name) is not None), None)
