"""Is it a Matryoshka model at all? Whether the first coordinates are worth more than any others.
Pure arithmetic.

In a model that is worth cutting, the first d of D coordinates keep more of a vector's ten nearest
neighbours than d coordinates drawn at random. In a model that was trained without prefixes in mind
they keep about as many. The test sees front-loading and not training: vectors that were turned to
their principal axes are front-loaded too, and pass.

Prefixes as Matryoshka training makes them: Kusupati et al., "Matryoshka Representation Learning",
2022 (arXiv 2205.13147)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge_mrl.slices import FloatArray, normalize, prefix
from edge_mrl_export.neighbours import neighbours, overlap

MAX_TEXTS = 300
"""Texts beyond these change the figures by little and cost time."""

MIN_TEXTS = 50
"""With fewer, ten neighbours are a large part of everything there is."""

DRAWS = 16
MIN_GAIN = 0.04
MIN_Z = 3.0
"""On six sets of 232 to 300 texts (Cranfield, CISI, Vaswani, XQuAD, technical documentation,
Python's documentation), at a quarter and a half of the width, wordllama's table gains at least
8.4 % with z = 5.6, and MiniLM with a Matryoshka adapter 17.2 % with z = 9.1; plain MiniLM gains at
most 2.5 % with z = 1.5. `edge-mrl check MODEL --texts FILE` prints such figures."""

Verdict = Literal["front-loaded", "not front-loaded", "too few texts", "one size"]

_SEED = 0


@dataclass(frozen=True, slots=True)
class Depth:
    """One prefix length. `prefix` is the share of the full vector's ten nearest neighbours that the
    first `dim` coordinates keep; `random` and `spread` are mean and standard deviation of that
    share over random choices of as many coordinates."""

    dim: int
    prefix: float
    random: float
    spread: float

    @property
    def gain(self) -> float:
        """How much more the prefix keeps than random choices, relative to those."""
        return self.prefix / self.random - 1 if self.random else 0.0

    @property
    def z(self) -> float:
        """The same difference in standard deviations of the random choices."""
        return (self.prefix - self.random) / self.spread if self.spread else 0.0

    @property
    def passed(self) -> bool:
        """Whether the prefix is clearly better than chance."""
        return self.gain >= MIN_GAIN and self.z >= MIN_Z


@dataclass(frozen=True, slots=True)
class FrontLoading:
    """The outcome for one model: `texts` were compared, at full width `dim`.

    `depths` is empty where nothing was measured: the verdict is then "too few texts", or "one size"
    for a model of which no prefix is ever taken."""

    texts: int
    dim: int
    depths: tuple[Depth, ...]
    verdict: Verdict

    @property
    def refused(self) -> bool:
        """Whether a strict export refuses the model: it failed, or nobody can tell."""
        return self.verdict in ("not front-loaded", "too few texts")

    def in_words(self) -> str:
        """The outcome as one line."""
        if self.verdict == "one size":
            return (
                "front-loading was not tested: there is one size, so no prefix of a vector is taken"
            )
        if self.verdict == "too few texts":
            return (
                f"front-loading was not tested: it takes {MIN_TEXTS} different texts with a "
                f"vector, and there are {self.texts}, so give a longer file with --texts"
            )
        figures = ", ".join(
            f"the first {depth.dim} keep {100 * abs(depth.gain):.1f} % "
            f"{'more' if depth.gain >= 0 else 'fewer'} (z = {depth.z:.1f})"
            for depth in self.depths
        )
        needed = f"; {100 * MIN_GAIN:.0f} % more and z = {MIN_Z:g} are needed at each"
        return (
            f"{self.verdict}: of the ten nearest neighbours among {self.texts} texts, against "
            f"random choices of the {self.dim} coordinates, {figures}"
            f"{needed if self.verdict == 'not front-loaded' else ''}"
        )


def measure_front_loading(vectors: FloatArray, dims: Sequence[int]) -> FrontLoading:
    """Compare prefixes with random choices of as many coordinates.

    The same vectors give the same result: the random choices have a fixed seed.

    Args:
        vectors: (n, dim) float32 full-width unit vectors of different texts; the first 300 that
            have a direction are used.
        dims: the sizes the model is said to be trained for.

    Returns:
        The figures at `depths_for`, or none where fewer than 50 vectors have a direction.
    """
    width = vectors.shape[1]
    wanted = depths_for(dims, width)
    if not wanted:
        return FrontLoading(len(vectors), width, (), "one size")
    usable = vectors[np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)][:MAX_TEXTS]
    if len(usable) < MIN_TEXTS:
        return FrontLoading(len(usable), width, (), "too few texts")
    full = neighbours(usable)
    random = np.random.default_rng(_SEED)
    depths = []
    for dim in wanted:
        draws = [
            overlap(neighbours(normalize(usable[:, random.permutation(width)[:dim]])), full)
            for _ in range(DRAWS)
        ]
        # All draws alike is no certainty: one neighbour of one text is the least they can differ.
        spread = max(float(np.std(draws, ddof=1)), 1 / full.size)
        first = overlap(neighbours(prefix(usable, dim)), full)
        depths.append(Depth(dim, first, float(np.mean(draws)), spread))
    passed = all(depth.passed for depth in depths)
    verdict: Verdict = "front-loaded" if passed else "not front-loaded"
    return FrontLoading(len(usable), width, tuple(depths), verdict)


def depths_for(dims: Sequence[int], width: int) -> tuple[int, ...]:
    """The prefix lengths to test: the trained sizes nearest below a quarter and a half of the
    width, or the smallest where none is.

    Prefixes beyond a half are not tested where there are shorter ones: random coordinates keep most
    neighbours there too, so that little is left to gain.

    Args:
        dims: the trained sizes.
        width: D, the length of the full vector, which is no prefix.
    """
    prefixes = sorted({dim for dim in dims if dim < width})
    if not prefixes:
        return ()
    wanted = (width // 4, width // 2)
    return tuple(
        dict.fromkeys(
            max((dim for dim in prefixes if dim <= most), default=prefixes[0]) for most in wanted
        )
    )
