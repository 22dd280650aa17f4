"""What an export did, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_mrl.bundle.manifest import Manifest
from edge_mrl_export.front_loading import FrontLoading


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
