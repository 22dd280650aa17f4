"""Documents as queries: their true neighbours, and where codes put them. Pure arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl.index.searching.funnel import MEASURED_K
from edge_mrl.index.searching.margin import best_but
from edge_mrl.kernel import top_positions
from edge_mrl.slices import FloatArray

IntArray = npt.NDArray[np.int64]

SPREAD_ROWS = 1024
"""Rows near the best of a trial whose distance is kept: 1 MiB for 250 queries."""


class Trial(NamedTuple):
    """One document as a query.

    Attributes:
        own: its own position, which is left out.
        nearest: positions of its true top k at the stored precision, from `NearestSoFar`.
        coded: (n,) int64 scores of the scan, then of finer codes where there are any.
        unit: what turns the last of these into cosines; None where no margin is wanted.
    """

    own: int
    nearest: IntArray
    coded: tuple[IntArray, ...]
    unit: float | None = None


class NearestSoFar:
    """The true nearest of some documents, found part by part: a table of all cosines would take
    half of what a small board can spare while documents are added.

    Args:
        own: (m,) positions of the documents, which are left out of their own nearest.
        k: how many of the nearest are wanted.
    """

    def __init__(self, own: IntArray, k: int = MEASURED_K) -> None:
        self._own, self._k = own, k
        self._places = [np.empty(0, dtype=np.int64)] * own.size
        self._scores = [np.empty(0, dtype=np.float32)] * own.size
        self._worst = np.full(own.size, -np.inf, dtype=np.float32)
        self._seen = 0

    def look_at(self, cosines: FloatArray) -> None:
        """Look at the rows that follow those seen so far.

        Args:
            cosines: (m, rows) float32; the documents' own places are written over.
        """
        rows = cosines.shape[1]
        inside = np.flatnonzero((self._own >= self._seen) & (self._own < self._seen + rows))
        cosines[inside, self._own[inside] - self._seen] = -np.inf
        # What is as good as the worst that is held stands later, so it loses the tie.
        better = cosines > self._worst[:, None]
        for number in np.flatnonzero(better.any(axis=1)).tolist():
            chosen = np.flatnonzero(better[number])
            scores = np.concatenate([self._scores[number], cosines[number, chosen]])
            best = top_positions(scores, self._k)
            self._scores[number] = scores[best]
            self._places[number] = np.concatenate([self._places[number], chosen + self._seen])[best]
            if best.size == self._k:
                self._worst[number] = self._scores[number].min()
        self._seen += rows

    def of(self, number: int) -> IntArray:
        """(min(k, n - 1),) int64 positions of the nearest of one document, rising."""
        return self._places[number]


def depths(trial: Trial) -> IntArray:
    """How long each list must be to hold each of the true top k.

    Among equal scores the worst place is taken.

    Returns:
        (lists, k) int64, each 1 or more.
    """
    counts = []
    for scores in trial.coded:
        # The document itself is not a rival, so it is not counted.
        own = scores[trial.own]
        counts.append(
            [
                np.count_nonzero(scores >= score) - int(own >= score)
                for score in scores[trial.nearest]
            ]
        )
    return np.array(counts, dtype=np.int64)


def shortfalls_and_spread(
    trial: Trial,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """How far below the k-th best estimated cosine those of some rows are.

    Returns:
        (k,) float64 of the true top k, 0 where they are no lower; and (at most SPREAD_ROWS,)
        float32 of the best rows, rising from negative values. Infinite where the trial has no unit.
    """
    rank, scores = trial.nearest.size, trial.coded[-1]
    count = min(SPREAD_ROWS, scores.size - 1)
    if trial.unit is None:
        return np.full(rank, np.inf), np.full(count, np.inf, dtype=np.float32)
    best = best_but(scores, trial.own, count)
    begin = best[rank - 1]
    short = trial.unit * np.maximum(begin - scores[trial.nearest], 0)
    return short, (trial.unit * (begin - best)).astype(np.float32)
