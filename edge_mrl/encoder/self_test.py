"""Whether an engine gives the vectors that were exported: one that loads a file may still answer
noise. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_mrl.bundle.manifest import Variant
from edge_mrl.errors import SelfTestError
from edge_mrl.slices import FloatArray, prefix

SLACK = 0.01
"""How far a golden text may lie below the lowest cosine at export: for another CPU's rounding. A
broken engine is far below it."""


def texts_at_load(variant: Variant) -> int:
    """How many golden texts are run at load; the first are short, so that this costs little on a
    slow board.

    Two where an engine runs them together, so that the shorter is padded. One where each would run
    alone, or is padded anyway: an engine that answers noise does so for every text.
    """
    return 2 if variant.format == "onnx" and variant.pad_invariant else 1


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


def check_tokens(
    found: Sequence[FloatArray], reference: Sequence[FloatArray], variant: Variant
) -> None:
    """Compare the token vectors of golden texts with their reference.

    Args:
        found: an array (tokens, dim) float32 for each text, rows of unit length, as the engine
            gives them.
        reference: the same at full width.
        variant: what was run; one that gives token vectors.

    Raises:
        SelfTestError: there are more or fewer, or one is further from its reference than at export.
    """
    assert variant.token_vectors is not None
    least = variant.token_vectors.cosine_min
    for ours, theirs in zip(found, reference, strict=True):
        if len(ours) != len(theirs):
            raise SelfTestError(
                f"variant {variant.name!r} gives {len(ours)} token vectors for a text of "
                f"{len(theirs)} tokens here: choose another variant or export the bundle again"
            )
        lowest = float(np.sum(ours * prefix(theirs, ours.shape[1]), axis=1).min(initial=1))
        if not (np.isfinite(lowest) and lowest >= least - SLACK):
            raise SelfTestError(
                f"variant {variant.name!r} gives wrong token vectors here: cosine {lowest:.4f} "
                f"with the exported ones, where {least:.4f} was measured; choose another variant "
                "or update the engine"
            )
