"""Whether an engine gives the vectors that were exported: one that loads a file may still answer
noise. Pure."""

from __future__ import annotations

import numpy as np

from edge_mrl.bundle.manifest import Variant
from edge_mrl.errors import SelfTestError
from edge_mrl.slices import FloatArray

SLACK = 0.01
"""How far a golden text may lie below the lowest cosine at export: for another CPU's rounding. A
broken engine is far below it."""


def check_vectors(vectors: FloatArray, reference: FloatArray, variant: Variant) -> float:
    """Compare golden texts with their reference.

    Args:
        vectors: (n, dim) float32 of unit length, as the engine gives them; zeros for no direction.
        reference: (n, dim) float32, of any length.
        variant: what was run.

    Returns:
        The mean cosine.

    Raises:
        SelfTestError: there are no vectors, or one is further from its reference than at export.
    """
    if not len(vectors):
        raise SelfTestError(
            f"no golden text is short enough for variant {variant.name!r}, so it "
            "cannot be checked: choose another variant"
        )
    norms = np.linalg.norm(reference, axis=1)
    cosines = np.sum(vectors * reference, axis=1) / np.where(norms == 0, 1, norms)
    # A text without direction has none in the reference either.
    cosines[(norms == 0) & ~vectors.any(axis=1)] = 1
    mean, lowest = float(cosines.mean()), float(cosines.min())
    if not (np.isfinite(lowest) and lowest >= variant.gate.cosine_min - SLACK):
        raise SelfTestError(
            f"variant {variant.name!r} gives wrong vectors here: cosine {lowest:.4f} with the "
            f"exported ones, where {variant.gate.cosine_min:.4f} was measured; choose another "
            "variant or update the engine"
        )
    return mean
