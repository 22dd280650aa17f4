"""Running a freshly built variant through the device runtime, against the model's own fp32
vectors."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_mrl.bundle.reader import Bundle
from edge_mrl.encoder import Encoder
from edge_mrl.encoder.loaded_variant import LoadedVariant
from edge_mrl.slices import FloatArray, prefix
from edge_mrl_export.gates import RANK_GATES, TOKEN_GATES, Measures, missed, missed_tokens
from edge_mrl_export.model import BuiltVariant
from edge_mrl_export.neighbours import neighbours, overlap
from edge_mrl_export.report import VariantReport
from edge_mrl_export.verify_tokens import TokenCheckup, measure_tokens


@dataclass(frozen=True, slots=True)
class Checkup:
    """Texts and their reference vectors: the first `golden` of them are the golden texts."""

    texts: tuple[str, ...]
    reference: FloatArray
    golden: int


LONGEST = 256
"""Golden texts are padded to this many tokens, or to as many as the variant reads, to see whether
padding matters."""


def verify_variant(
    folder: Path,
    variant: BuiltVariant,
    checkup: Checkup,
    tokens: TokenCheckup | None = None,
    *,
    allow: bool = False,
) -> VariantReport:
    """Compare one variant of a bundle folder with the reference, at every size it gives.

    Every text is run at the largest size; the golden texts are run at every size, alone and in a
    batch, so that the cut inside a graph is tried too, and at the largest with other padding.
    Where the variant gives token vectors, those of `tokens` are compared likewise. The gates are
    those of `edge_mrl_export.gates`; with `allow`, a variant that misses one is kept all the same.
    """
    loaded = _loaded(folder, variant)
    full = Encoder(loaded, max(variant.dims), None)
    everything = full.encode(checkup.texts, prompt="")
    # A text of which a variant reads less than the model has another vector by right.
    whole = np.array(full.reads_whole(checkup.texts), dtype=bool)
    golden = checkup.texts[: checkup.golden]
    cosine: dict[int, float] = {}
    shared: dict[int, float] = {}
    lowest = 1.0
    by_padding = _difference(
        np.concatenate([full.encode([text], prompt="") for text in golden]),
        full.encode_padded(golden, LONGEST),
    )
    by_batch = 0.0
    for dim in variant.dims:
        encoder = Encoder(loaded, dim, None)
        batch = encoder.encode(golden, prompt="")
        alone = np.concatenate([encoder.encode([text], prompt="") for text in golden])
        by_batch = float(np.maximum(by_batch, _difference(alone, batch)))
        vectors = np.concatenate([batch, prefix(everything[checkup.golden :], dim)])
        reference = prefix(checkup.reference, dim)
        cosines = _cosines(vectors, reference)
        cosine[dim] = float(cosines[whole].mean())
        lowest = min(lowest, float(cosines[: checkup.golden][whole[: checkup.golden]].min()))
        shared[dim] = overlap(neighbours(vectors[whole]), neighbours(reference[whole]))
    gate = RANK_GATES[variant.precision]
    found = Measures(cosine, lowest, shared, by_batch, by_padding)
    failures = missed(found, variant.min_cosine, gate)
    measured = None
    if tokens is not None and variant.token_vectors:
        measured = measure_tokens(folder, variant.name, tokens)
        failures += missed_tokens(measured, TOKEN_GATES[variant.precision])
    return VariantReport(
        name=variant.name,
        format=variant.format,
        precision=variant.precision,
        size=loaded.bundle.size(loaded.variant),
        cosine=cosine,
        cosine_min=lowest,
        overlap_at_10=shared,
        batch_difference=by_batch,
        padding_difference=by_padding,
        gate=variant.min_cosine,
        reason=variant.reason,
        rank_gate=gate,
        missed=failures,
        kept=allow or not failures,
        tokens=measured,
    )


def _loaded(folder: Path, variant: BuiltVariant) -> LoadedVariant:
    """The variant's engine, once for all sizes: it may take gigabytes."""
    bundle = Bundle.open(folder)
    return LoadedVariant.open(bundle, bundle.manifest.variant(variant.name), os.cpu_count() or 1)


def _difference(ours: FloatArray, theirs: FloatArray) -> float:
    return float(np.abs(ours - theirs).max())


def _cosines(vectors: FloatArray, reference: FloatArray) -> FloatArray:
    cosines: FloatArray = np.sum(vectors * reference, axis=1)
    # A text without direction must have none in both.
    cosines[~vectors.any(axis=1) & ~reference.any(axis=1)] = 1
    cosines[~np.isfinite(cosines)] = -1
    return cosines
