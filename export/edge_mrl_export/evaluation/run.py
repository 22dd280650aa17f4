"""Evaluation of a bundle: every variant through the device runtime, every slice as an index stores
it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_mrl.backends import available, first_runnable
from edge_mrl.bundle import Bundle
from edge_mrl.bundle.manifest import Manifest, Variant
from edge_mrl.encoder import Encoder
from edge_mrl.errors import InputError
from edge_mrl.index.format.codes import decode, encode
from edge_mrl.slices import FloatArray, Slice, check_trained, prefix
from edge_mrl_export.evaluation.data import PairData, RetrievalData, read_data
from edge_mrl_export.evaluation.measures import Measured, rank_documents, retrieval, similarity
from edge_mrl_export.extras import require

DEFAULT_BITS = (1, 2, 4, 8, 32)
_TEXTS_AT_ONCE = 256

OnProgress = Callable[[str, int, int], None]
"""Called with a label, how many texts are embedded, and how many there are."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to measure; None means all that the bundle gives and this machine can run."""

    variants: tuple[str, ...] | None = None
    dims: tuple[int, ...] | None = None
    bits: tuple[int, ...] = DEFAULT_BITS


@dataclass(frozen=True, slots=True)
class Result:
    """One variant at one slice: `measures` by name, ndcg@10 and recall@100, or spearman."""

    variant: str
    slice: Slice
    measures: dict[str, Measured]


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """All results; `queries` and `documents` count texts, for pairs both count the pairs. `skipped`
    are variants whose engine is not installed."""

    data: str
    queries: int
    documents: int
    results: tuple[Result, ...]
    skipped: tuple[str, ...]


def evaluate(
    bundle: Path,
    data: Path,
    choice: Choice | None = None,
    *,
    on_progress: OnProgress = lambda label, done, total: None,
) -> EvaluationReport:
    """Measure a bundle on labelled data.

    Args:
        bundle: the bundle folder.
        data: a folder in BEIR's layout, or with pairs.tsv.
        choice: variants, dimensions and bits.
        on_progress: called while texts are embedded.

    Returns:
        One result for each variant, dimension and number of bits. Documents (or second sentences)
        are stored at that many bits; queries stay float32, as in a search.

    Raises:
        InputError: the data cannot be used.
        BundleError: the bundle cannot be used, or has no such variant.
        UntrainedDimError: a size was not trained.
        BackendMissingError: a variant that was asked for cannot run here.
        ExportError: the package that computes the measures is not installed.
    """
    choice = choice or Choice()
    require("ir_measures", "scipy", extra="eval", what="evaluation")
    manifest = Bundle.open(bundle).manifest
    for dim in choice.dims or ():
        check_trained(dim, manifest.embedding.matryoshka_dims)
    # Wrong numbers of bits are refused before any text is embedded.
    slices = [
        Slice(dim, bits) for dim in manifest.embedding.matryoshka_dims for bits in choice.bits
    ]
    labelled = read_data(data)
    variants, skipped = _variants(manifest, choice)
    results: list[Result] = []
    for variant in variants:
        dims = [dim for dim in variant.dims if choice.dims is None or dim in choice.dims]
        if not dims:
            continue
        encoder = Encoder.load(
            bundle, variant=variant.name, truncate_dim=max(dims), threads=os.cpu_count()
        )
        sides = embed(encoder, labelled, on_progress)
        results += [
            Result(variant.name, slice_, measure(labelled, *sides, slice_))
            for slice_ in slices
            if slice_.dim in dims
        ]
    if not results:
        raise InputError("none of the variants gives one of these sizes: choose others")
    asked, stored = sides
    return EvaluationReport(labelled.name, len(asked), len(stored), tuple(results), skipped)


def _variants(manifest: Manifest, choice: Choice) -> tuple[list[Variant], tuple[str, ...]]:
    if choice.variants is not None:
        return [manifest.variant(name) for name in choice.variants], ()
    runnable = [variant for variant in manifest.variants if available(variant)]
    skipped = tuple(v.name for v in manifest.variants if v not in runnable)
    if not runnable:
        first_runnable(manifest.variants)  # refuses, and names the pip commands
    return runnable, skipped


def embed(
    encoder: Encoder, labelled: RetrievalData | PairData, on_progress: OnProgress
) -> tuple[FloatArray, FloatArray]:
    """Vectors of queries and documents, or of first and second sentences, (n, encoder.dim) each."""
    if isinstance(labelled, RetrievalData):
        work = (
            (labelled.queries, encoder.encode_query),
            (labelled.documents, encoder.encode_document),
        )
    else:
        work = ((labelled.first, encoder.encode), (labelled.second, encoder.encode))
    total = sum(len(texts) for texts, _ in work)
    done = 0
    sides: list[FloatArray] = []
    for texts, embed in work:
        parts = []
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            parts.append(embed(list(texts[start : start + _TEXTS_AT_ONCE])))
            done += len(parts[-1])
            on_progress(encoder.variant.name, done, total)
        sides.append(np.concatenate(parts))
    return sides[0], sides[1]


def measure(
    labelled: RetrievalData | PairData, asked: FloatArray, stored: FloatArray, slice_: Slice
) -> dict[str, Measured]:
    """What `embed` gave is worth at one slice: documents (or second sentences) stored at its bits,
    queries cut to its dimensions in float32.

    Returns:
        ndcg@10 and recall@100, or spearman.
    """
    cut = prefix(asked, slice_.dim)
    kept = decode(encode(stored, slice_), slice_)
    if isinstance(labelled, RetrievalData):
        return retrieval(rank_documents(cut, kept), labelled.judgements)
    return similarity(cut, kept, labelled.scores)
