"""What every slice keeps: retrieval with the slice alone, and the shortlist a scan at it needs.
Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edge_mrl.bundle.manifest import Labels, Quality, SliceQuality
from edge_mrl.index.format.codes import decode, encode
from edge_mrl.slices import FloatArray, Slice, prefix

MEASURED_BITS = (1, 2, 4, 8, 32)
TOP = 10
COVERAGE = 0.99
"""The share of the full vector's top 10 that a shortlist must hold, over all queries together."""

Ndcg = Callable[[FloatArray], float]
"""Scores (q, n) of documents for queries -> mean nDCG@10."""


def measure_quality(
    queries: FloatArray,
    documents: FloatArray,
    ndcg: Ndcg,
    dims: Sequence[int],
    method: str,
    labels: Labels = "self-labelled",
) -> Quality:
    """Measure every trained size at 1, 2, 4, 8 and 32 bits.

    Args:
        queries: (q, dim) float32 full-width unit vectors.
        documents: (n, dim) float32, likewise.
        ndcg: what scores are worth, by the labels: see `one_answer`.
        dims: the trained sizes.
        method: how the labels came about, for the record.
        labels: who made them.

    Returns:
        The quality table. `kept` of a slice is its nDCG@10 over that of the full float32 vectors.
    """
    full = queries @ documents.T
    full_ndcg = ndcg(full)
    subsets = [np.arange(0, len(documents), step) for step in (4, 2, 1)]
    tops = [_top(full[:, subset]) for subset in subsets]
    rows: list[SliceQuality] = []
    growths: list[float] = []
    for dim in dims:
        cut_queries, cut_documents = prefix(queries, dim), prefix(documents, dim)
        for bits in MEASURED_BITS:
            slice_ = Slice(dim, bits)
            scores = cut_queries @ decode(encode(cut_documents, slice_), slice_).T
            found = ndcg(scores)
            shortlists = [
                shortlist_for(scores[:, s], top) for s, top in zip(subsets, tops, strict=True)
            ]
            if shortlists[0] > 2 * TOP:
                growths.append(_slope([len(subset) for subset in subsets], shortlists))
            rows.append(
                SliceQuality(
                    slice=slice_,
                    ndcg_at_10=round(found, 4),
                    kept=round(found / full_ndcg, 4) if full_ndcg else 0.0,
                    shortlist=shortlists[-1],
                )
            )
    return Quality(
        method=method,
        queries=len(queries),
        documents=len(documents),
        full_ndcg_at_10=round(full_ndcg, 4),
        shortlist_growth=round(float(np.clip(np.median(growths), 0, 1)), 3) if growths else 1.0,
        slices=tuple(rows),
        labels=labels,
    )


def shortlist_for(scores: FloatArray, top: npt.NDArray[np.intp]) -> int:
    """How many candidates to keep by `scores` so that `COVERAGE` of the wanted documents are among
    them.

    Args:
        scores: (q, n) the scan's score of each document.
        top: (q, k) the documents wanted for each query.

    Returns:
        The smallest such number, at least k.
    """
    wanted_scores = np.take_along_axis(scores, top, axis=1)
    # Rank by score, ties counted against the wanted document: the shortlist must hold them all.
    ordered = np.sort(scores, axis=1)
    ranks = np.concatenate(
        [
            scores.shape[1] - np.searchsorted(row, wanted, side="left")
            for row, wanted in zip(ordered, wanted_scores, strict=True)
        ]
    )
    ranks.sort()
    last_wanted = int(ranks[math.ceil(COVERAGE * len(ranks)) - 1])
    return max(last_wanted, len(top[0]))


def one_answer(answers: Sequence[int]) -> Ndcg:
    """NDCG@10 with one relevant document a query: 1 / log2(1 + rank), 0 below rank 10 (Järvelin,
    Kekäläinen 2002); ties count against the answer.

    Args:
        answers: the relevant document of each query.
    """
    wanted = np.asarray(answers)[:, None]

    def ndcg(scores: FloatArray) -> float:
        ranks = (scores >= np.take_along_axis(scores, wanted, axis=1)).sum(axis=1)
        return float(np.where(ranks <= TOP, 1 / np.log2(1 + ranks), 0).mean())

    return ndcg


def _top(scores: FloatArray) -> npt.NDArray[np.intp]:
    return np.argsort(-scores, axis=1, kind="stable")[:, :TOP]


def _slope(sizes: Sequence[int], shortlists: Sequence[int]) -> float:
    """Slope of log(shortlist) over log(documents) by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(shortlists), 1)[0])
