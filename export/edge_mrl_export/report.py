"""What an export did, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_mrl.bundle.manifest import Manifest
from edge_mrl_export.front_loading import FrontLoading
from edge_mrl_export.gates import RankGate, TokenMeasures


@dataclass(frozen=True, slots=True)
class VariantReport:
    """How one variant came out of verification, through the device runtime.

    `cosine` and `overlap_at_10` hold one mean per trained size, against the model's own fp32
    vectors: cosine over golden and sample texts, and the share of the ten nearest neighbours that
    agree. `cosine_min` is that of the worst golden text. `batch_difference` is the largest
    difference of a coordinate between a text alone and in a batch, `padding_difference` between a
    text alone and padded to the longest. `gate` is what the mean cosine must reach, `rank_gate`
    what ranks and the worst text must; `missed` says which gates it did not reach, in numbers.
    `kept` is true for a variant that passed, or that the user allowed all the same. `tokens` is
    what was measured of its token vectors, if it gives such."""

    name: str
    format: str
    precision: str
    size: int
    cosine: dict[int, float]
    cosine_min: float
    overlap_at_10: dict[int, float]
    batch_difference: float
    padding_difference: float
    gate: float
    reason: str
    rank_gate: RankGate
    missed: tuple[str, ...]
    kept: bool
    tokens: TokenMeasures | None = None

    @property
    def passed(self) -> bool:
        """Whether it reached every gate."""
        return not self.missed

    @property
    def verdict(self) -> str:
        """In a word: written, allowed or refused."""
        if self.passed:
            return "written"
        return "allowed" if self.kept else "refused"

    def why_refused(self) -> str:
        """What it missed, in numbers; empty where it passed."""
        return "; ".join(self.missed)


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
