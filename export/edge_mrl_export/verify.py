"""Running a freshly built variant through the device runtime, against the model's own fp32
vectors."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_mrl.bundle.reader import Bundle
from edge_mrl.encoder import Encoder
from edge_mrl.slices import FloatArray, prefix
from edge_mrl_export.model import BuiltVariant
from edge_mrl_export.neighbours import neighbours, overlap
from edge_mrl_export.report import MAX_BATCH_DIFFERENCE, VariantReport


@dataclass(frozen=True, slots=True)
class Checkup:
    """Texts and their reference vectors: the first `golden` of them are the golden texts."""

    texts: tuple[str, ...]
    reference: FloatArray
    golden: int


def verify_variant(folder: Path, variant: BuiltVariant, checkup: Checkup) -> VariantReport:
    """Compare one variant of a bundle folder with the reference, at every size it gives.

    Every text is run at the largest size; the golden texts are run at every size, alone and in a
    batch, so that the cut inside a graph is tried too.
    The variant passes when its mean cosine reaches its gate at every size and no vector depends on
    the batch.
    """
    full = _encoder(folder, variant, max(variant.dims))
    everything = full.encode(checkup.texts, prompt="")
    # A text of which a variant reads less than the model has another vector by right.
    whole = np.array(full.reads_whole(checkup.texts), dtype=bool)
    golden = checkup.texts[: checkup.golden]
    cosine: dict[int, float] = {}
    shared: dict[int, float] = {}
    lowest = 1.0
    difference = 0.0
    for dim in variant.dims:
        encoder = _encoder(folder, variant, dim)
        batch = encoder.encode(golden, prompt="")
        alone = np.concatenate([encoder.encode([text], prompt="") for text in golden])
        difference = max(difference, float(np.abs(alone - batch).max()))
        vectors = np.concatenate([batch, prefix(everything[checkup.golden :], dim)])
        reference = prefix(checkup.reference, dim)
        cosines = _cosines(vectors, reference)
        cosine[dim] = float(cosines[whole].mean())
        lowest = min(lowest, float(cosines[: checkup.golden][whole[: checkup.golden]].min()))
        shared[dim] = overlap(neighbours(vectors), neighbours(reference))
    bundle = Bundle.open(folder)
    return VariantReport(
        name=variant.name,
        format=variant.format,
        precision=variant.precision,
        size=bundle.size(bundle.manifest.variant(variant.name)),
        cosine=cosine,
        cosine_min=lowest,
        overlap_at_10=shared,
        batch_difference=difference,
        gate=variant.min_cosine,
        reason=variant.reason,
        passed=min(cosine.values()) >= variant.min_cosine and difference <= MAX_BATCH_DIFFERENCE,
    )


def _encoder(folder: Path, variant: BuiltVariant, dim: int) -> Encoder:
    return Encoder.load(
        folder,
        variant=variant.name,
        truncate_dim=dim,
        threads=os.cpu_count(),
        self_test=False,
    )


def _cosines(vectors: FloatArray, reference: FloatArray) -> FloatArray:
    cosines: FloatArray = np.sum(vectors * reference, axis=1)
    # A text without direction must have none in both.
    cosines[~vectors.any(axis=1) & ~reference.any(axis=1)] = 1
    cosines[~np.isfinite(cosines)] = -1
    return cosines
