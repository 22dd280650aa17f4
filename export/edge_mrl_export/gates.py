"""What a variant must reach beside its technique's mean cosine, and what it missed, in words and
numbers. Pure.

Measured on MiniLM with a Matryoshka adapter, over 14 golden and 100 sample texts, sizes 32 to 384
(`edge-mrl export` prints such figures)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edge_mrl.bundle.manifest import Precision

MAX_DIFFERENCE = 1e-5
"""Rounding of float32 sums in another order stays below it; a dependence on the batch or on padding
does not."""


@dataclass(frozen=True, slots=True)
class RankGate:
    """What ranks and single texts must keep at every trained size.

    `overlap_at_10` is the mean share of the ten nearest neighbours that agree with the reference's,
    `golden_cosine` the cosine of the worst golden text."""

    overlap_at_10: float
    golden_cosine: float
    reason: str


RANK_GATES: Mapping[Precision, RankGate] = {
    "fp32": RankGate(0.98, 0.9999, "float32 keeps 0.999; what is missing are ties"),
    "fp16": RankGate(0.97, 0.999, "half precision keeps 0.99"),
    "int8-portable": RankGate(
        0.9, 0.97, "8-bit weights keep 0.96 and a worst golden text of 0.996"
    ),
    "int8-fast": RankGate(0.8, 0.9, "dynamic int8 keeps 0.89 and a worst golden text of 0.976"),
    "int4": RankGate(0.6, 0.8, "4-bit weights keep 0.8, which a rerank can use"),
}


@dataclass(frozen=True, slots=True)
class Measures:
    """One variant through the device runtime, against the model's own fp32 vectors; see
    `edge_mrl_export.report.VariantReport`."""

    cosine: dict[int, float]
    cosine_min: float
    overlap_at_10: dict[int, float]
    batch_difference: float
    padding_difference: float


@dataclass(frozen=True, slots=True)
class TokenGate:
    """What token vectors must reach at every trained size: `cosine` the mean over all tokens,
    `lowest` the worst token."""

    cosine: float
    lowest: float
    reason: str


TOKEN_GATES: Mapping[Precision, TokenGate] = {
    "fp32": TokenGate(0.99999, 0.9999, "float32 differs by rounding only"),
    "fp16": TokenGate(0.9999, 0.999, "half precision measures 0.999999"),
    "int8-portable": TokenGate(0.996, 0.97, "8-bit weights measure 0.9988, the worst token 0.996"),
    "int8-fast": TokenGate(0.98, 0.9, "dynamic int8 measures 0.990, the worst token 0.962"),
    "int4": TokenGate(0.94, 0.8, "4-bit weights measure 0.971, the worst token 0.914"),
}


@dataclass(frozen=True, slots=True)
class TokenMeasures:
    """Token vectors of one variant against the model's own: `cosine` the mean over tokens by size,
    `cosine_min` the worst token, `difference` the largest difference of a coordinate between a text
    alone and in a batch."""

    cosine: dict[int, float]
    cosine_min: float
    difference: float


def missed_tokens(found: TokenMeasures, gate: TokenGate) -> tuple[str, ...]:
    """The gates that a variant's token vectors miss, each with its numbers."""
    failures = []
    worst = min(found.cosine, key=lambda dim: found.cosine[dim])
    if not found.cosine[worst] >= gate.cosine:
        failures.append(
            f"mean cosine {found.cosine[worst]:.5f} of token vectors at {worst} dimensions, where "
            f"{gate.cosine:g} is needed"
        )
    if not found.cosine_min >= gate.lowest:
        failures.append(
            f"cosine {found.cosine_min:.5f} of a token vector, where {gate.lowest:g} is needed"
        )
    if not found.difference <= MAX_DIFFERENCE:
        failures.append(
            f"token vectors change by {found.difference:.1e} with their batch, where "
            f"{MAX_DIFFERENCE:g} is allowed"
        )
    return tuple(failures)


def missed(found: Measures, min_cosine: float, gate: RankGate) -> tuple[str, ...]:
    """The gates that a variant misses, each with its numbers; empty where it passes all."""
    return tuple(_missed(found, min_cosine, gate))


def _missed(found: Measures, min_cosine: float, gate: RankGate) -> Iterator[str]:
    # Written so that NaN misses.
    worst = min(found.cosine, key=lambda dim: found.cosine[dim])
    if not found.cosine[worst] >= min_cosine:
        yield (
            f"mean cosine {found.cosine[worst]:.5f} at {worst} dimensions, where {min_cosine:g} is "
            "needed"
        )
    if not found.cosine_min >= gate.golden_cosine:
        yield (
            f"cosine {found.cosine_min:.5f} of a golden text, where {gate.golden_cosine:g} is "
            "needed"
        )
    worst = min(found.overlap_at_10, key=lambda dim: found.overlap_at_10[dim])
    if not found.overlap_at_10[worst] >= gate.overlap_at_10:
        yield (
            f"{100 * found.overlap_at_10[worst]:.1f} % of the ten nearest neighbours at {worst} "
            f"dimensions, where {100 * gate.overlap_at_10:g} % is needed"
        )
    if not found.batch_difference <= MAX_DIFFERENCE:
        yield (
            f"a text's vector changes by {found.batch_difference:.1e} with its batch, where "
            f"{MAX_DIFFERENCE:g} is allowed"
        )
    if not found.padding_difference <= MAX_DIFFERENCE:
        yield (
            f"a text's vector changes by {found.padding_difference:.1e} with its padding, where "
            f"{MAX_DIFFERENCE:g} is allowed"
        )
