"""What an export did, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_mrl.bundle.manifest import Manifest
from edge_mrl_export.front_loading import FrontLoading

MAX_BATCH_DIFFERENCE = 1e-5
"""Rounding of float32 sums in another order stays below it; a dependence on the batch does not."""


@dataclass(frozen=True, slots=True)
class VariantReport:
    """How one variant came out of verification, through the device runtime.

    `cosine` and `overlap_at_10` hold one mean per trained size, against the model's own fp32
    vectors: cosine over golden and sample texts, and the share of the ten nearest neighbours that
    agree. `batch_difference` is the largest difference of a coordinate between a text alone and in
    a batch."""

    name: str
    format: str
    precision: str
    size: int
    cosine: dict[int, float]
    cosine_min: float
    overlap_at_10: dict[int, float]
    batch_difference: float
    gate: float
    reason: str
    passed: bool

    def why_refused(self) -> str:
        """What it missed, in numbers; empty where it passed."""
        if self.passed:
            return ""
        worst = min(self.cosine, key=lambda dim: self.cosine[dim])
        missed = []
        if not self.cosine[worst] >= self.gate:
            missed.append(
                f"mean cosine {self.cosine[worst]:.5f} at {worst} dimensions, where {self.gate:g} "
                "is needed"
            )
        if not self.batch_difference <= MAX_BATCH_DIFFERENCE:
            missed.append(
                f"a text's vector changes by {self.batch_difference:.1e} with its batch, where "
                f"{MAX_BATCH_DIFFERENCE:g} is allowed"
            )
        return "; ".join(missed)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """The whole report; `manifest` is what stands in the bundle at `path`, and `front_loading` says
    whether the model's prefixes are worth more than other coordinates."""

    path: Path
    seconds: float
    reference: str
    manifest: Manifest
    variants: tuple[VariantReport, ...]
    front_loading: FrontLoading
