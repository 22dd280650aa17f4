"""What an adapter gained, on texts that it was not trained on. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_mrl.slices import FloatArray, prefix
from edge_mrl_export.front_loading import MIN_TEXTS as FRONT_LOADING_TEXTS
from edge_mrl_export.front_loading import FrontLoading, measure_front_loading
from edge_mrl_export.neighbours import neighbours, overlap

HELD_OUT_SHARE = 0.1
MAX_HELD_OUT = 1000


@dataclass(frozen=True, slots=True)
class Figures:
    """`kept`: of each held-out text's ten nearest by the model's own full vector, the mean share
    that is found by the first so many numbers alone."""

    front_loading: FrontLoading
    kept: dict[int, float]


def held_out(count: int, seed: int) -> npt.NDArray[np.bool_]:
    """Which of so many texts are kept from training: a tenth, at least 50 and at most 1000.

    Returns:
        (count,) true where a text is held out. The same seed chooses the same texts.
    """
    wanted = min(max(round(HELD_OUT_SHARE * count), FRONT_LOADING_TEXTS), MAX_HELD_OUT)
    chosen = np.zeros(count, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(count)[:wanted]] = True
    return chosen


def measure(own: FloatArray, vectors: FloatArray, dims: Sequence[int]) -> Figures:
    """Front-loading of `vectors`, and what each of their prefixes keeps of the model's neighbours.

    Args:
        own: (n, D) float32 unit vectors of the model itself.
        vectors: (n, d) float32 unit vectors to measure, of the same texts: `own` again, or what the
            adapter makes of them.
        dims: sizes, each at most d.
    """
    wanted = neighbours(own)
    kept = {dim: overlap(neighbours(prefix(vectors, dim)), wanted) for dim in dims}
    return Figures(measure_front_loading(vectors, dims), kept)
