"""The measures, by kept libraries: nDCG@10 and recall@100 by ir-measures (trec_eval's definitions),
Spearman's correlation and the bootstrap by scipy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_mrl.slices import FloatArray

CONFIDENCE = 0.95
RESAMPLES = 1000
"""Draws of the percentile bootstrap (Efron, Tibshirani 1993): an end of the interval is then known
to about a twentieth of its width."""

DEPTH = 100
_QUERIES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Measured:
    """A mean or correlation with its 95 % bootstrap interval over queries or pairs."""

    value: float
    low: float
    high: float


def rank_documents(queries: FloatArray, documents: FloatArray) -> npt.NDArray[np.intp]:
    """The places of the 100 documents of largest inner product, best first; of equals the lower
    place comes first, as in the index.

    Args:
        queries: (q, dim) float32.
        documents: (n, dim) float32.

    Returns:
        (q, min(n, 100)).
    """
    ranked = [
        rank(queries[start : start + _QUERIES_AT_ONCE] @ documents.T)
        for start in range(0, len(queries), _QUERIES_AT_ONCE)
    ]
    return np.concatenate(ranked)


def rank(scores: FloatArray) -> npt.NDArray[np.intp]:
    """The places of the 100 largest scores of each row, best first; of equals the lower comes
    first.

    Args:
        scores: (q, n) float32.

    Returns:
        (q, min(n, 100)).
    """
    return np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]


def retrieval(
    ranked: npt.NDArray[np.intp], judgements: Sequence[dict[int, int]]
) -> dict[str, Measured]:
    """nDCG@10 and recall@100 of ranked documents; see `each_query`."""
    return {name: mean(values) for name, values in each_query(ranked, judgements).items()}


def each_query(
    ranked: npt.NDArray[np.intp], judgements: Sequence[dict[int, int]]
) -> dict[str, npt.NDArray[np.float64]]:
    """nDCG@10 and recall@100 of each query.

    Args:
        ranked: (q, depth) places of documents, best first; -1 where nothing was found.
        judgements: each query's graded documents.
    """
    import ir_measures
    from ir_measures import R, nDCG

    wanted = {
        str(query): {str(document): grade for document, grade in grades.items()}
        for query, grades in enumerate(judgements)
    }
    depth = ranked.shape[1]
    # Scores that fall with the rank, so that the library keeps our order of equals.
    run = {
        str(query): {
            str(document): float(depth - place)
            for place, document in enumerate(row)
            if document >= 0
        }
        for query, row in enumerate(ranked)
    }
    names = {str(nDCG @ 10): "ndcg@10", str(R @ DEPTH): "recall@100"}
    values = {name: np.zeros(len(judgements)) for name in names.values()}
    for metric in ir_measures.iter_calc([nDCG @ 10, R @ DEPTH], wanted, run):
        values[names[str(metric.measure)]][int(metric.query_id)] = metric.value
    return values


def similarity(
    first: FloatArray, second: FloatArray, scores: Sequence[float]
) -> dict[str, Measured]:
    """Spearman's rank correlation between cosines and people's scores.

    Args:
        first: (n, dim) float32.
        second: (n, dim) float32.
        scores: n numbers, larger for more similar.
    """
    from scipy import stats

    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosines = np.sum(first * second, axis=1) / np.where(lengths == 0, 1, lengths)
    wanted = np.asarray(scores)
    value = float(stats.spearmanr(cosines, wanted).statistic)
    interval = stats.bootstrap(
        (cosines, wanted),
        _spearman,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return {"spearman": Measured(value, float(interval.low), float(interval.high))}


def _spearman(
    left: npt.NDArray[np.floating], right: npt.NDArray[np.floating], axis: int
) -> npt.NDArray[np.floating]:
    """Pearson's correlation of ranks along an axis: many resamples at once."""
    from scipy import stats

    ranks = [stats.rankdata(values, axis=axis) for values in (left, right)]
    a, b = (values - values.mean(axis=axis, keepdims=True) for values in ranks)
    spread = np.sqrt((a * a).sum(axis=axis) * (b * b).sum(axis=axis))
    # A resample of one pair many times over has no correlation.
    found: npt.NDArray[np.floating] = (a * b).sum(axis=axis) / np.where(spread == 0, 1, spread)
    return found


def mean(values: npt.NDArray[np.floating]) -> Measured:
    """The mean over queries; of differences between two ways, query by query, too."""
    from scipy import stats

    mean = float(values.mean())
    if len(values) < 2:
        return Measured(mean, mean, mean)
    interval = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Measured(mean, float(interval.low), float(interval.high))
