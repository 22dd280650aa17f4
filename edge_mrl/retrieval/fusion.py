"""One list of several: fusion of rankings. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_mrl.retrieval.ranking import Ranking
from edge_mrl.retrieval.request import PUBLISHED_K, Fusion, Rrf


def fuse(fusion: Fusion, lists: Sequence[Ranking], limit: int | None = None) -> Ranking:
    """Put lists together.

    Args:
        fusion: how.
        lists: each best first.
        limit: how many are kept.
    """
    if isinstance(fusion, Rrf):
        return reciprocal_rank(lists, fusion.k, fusion.weights, limit)
    return distribution_based(lists, limit)


def reciprocal_rank(
    lists: Sequence[Ranking],
    k: float = PUBLISHED_K,
    weights: Sequence[float] | None = None,
    limit: int | None = None,
) -> Ranking:
    """Reciprocal rank fusion as Qdrant defines it: score(d) = sum over the lists that hold d of
    1 / (rank / weight + k - 1), the first rank being 1; a list of weight 0 adds nothing.

    Without weights and at k = 61 that is the 1 / (60 + rank) of G. Cormack, C. Clarke and
    S. Buettcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
    Methods", SIGIR 2009.

    Args:
        lists: each best first.
        k: 1 or more.
        weights: one for each list, 0 or more; default 1.
        limit: how many are kept.
    """
    given = [1.0] * len(lists) if weights is None else list(weights)
    scores = [
        weight / (np.arange(1, found.rows.size + 1) + weight * (k - 1))
        for found, weight in zip(lists, given, strict=True)
    ]
    return _summed([found.rows for found in lists], scores, limit)


def distribution_based(lists: Sequence[Ranking], limit: int | None = None) -> Ranking:
    """Distribution-based score fusion: each list's scores are scaled so that its mean - 3 sigma
    becomes 0 and its mean + 3 sigma becomes 1, and summed (Qdrant's DBSF, after M. Mazzanti).

    Sigma is that of a sample, with n - 1 below the line. A list of one score, or of equal scores,
    says nothing about its distribution: its documents get 0.5, as Qdrant does.

    Args:
        lists: each best first.
        limit: how many are kept.
    """
    scores = []
    for found in lists:
        spread = float(found.scores.std(ddof=1)) if found.scores.size > 1 else 0.0
        if spread < np.finfo(np.float64).tiny:
            scores.append(np.full(found.scores.size, 0.5))
        else:
            low = float(found.scores.mean()) - 3 * spread
            scores.append((found.scores - low) / (6 * spread))
    return _summed([found.rows for found in lists], scores, limit)


def _summed(rows: Sequence[np.ndarray], scores: Sequence[np.ndarray], limit: int | None) -> Ranking:
    if not rows:
        return Ranking.empty()
    each, place = np.unique(np.concatenate(rows), return_inverse=True)
    return Ranking.of(each, np.bincount(place, np.concatenate(scores), each.size), limit)
