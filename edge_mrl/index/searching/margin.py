"""How far below the best estimates a true neighbour may be estimated. Pure arithmetic.

A list of fixed length is as long as the hardest queries need. Most queries have few rows near their
best, so rows whose estimated cosine is lower than the k-th best one by more than a margin are not
read again: on 100 000 texts (wordllama, 256x1 > 256x2) 41 of 74 rows are left (`python -m
benchmarks.layouts`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def within(scores: IntArray, rank: int, width: float) -> int:
    """How many of the best scores lie within a margin.

    Args:
        scores: (n,) falling.
        rank: the margin begins at the best but `rank` - 1, 1 or more.
        width: of the margin, in units of the scores.
    """
    if scores.size <= rank:
        return int(scores.size)
    return int(np.count_nonzero(scores >= scores[rank - 1] - width))


def best_but(scores: IntArray, own: int, count: int) -> IntArray:
    """The best scores but that of a row.

    Args:
        scores: (n,) of all rows.
        own: the row that does not count.
        count: 1 to n - 1.

    Returns:
        (count,) falling.
    """
    others = np.delete(scores, own)
    others.partition(others.size - count)
    best: IntArray = np.sort(others[others.size - count :])[::-1]
    return best
