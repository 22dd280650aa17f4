"""A list of answers: rows and scores, best first. Pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
ScoreArray = npt.NDArray[np.float64]


class Ranking(NamedTuple):
    """Rows by falling score; equal scores by rising row.

    Attributes:
        rows: (n,) int64, each once.
        scores: (n,) float64; higher is better, whatever the branch.
    """

    rows: IntArray
    scores: ScoreArray

    @classmethod
    def of(cls, rows: npt.ArrayLike, scores: npt.ArrayLike, limit: int | None = None) -> Ranking:
        """Put rows in order and keep the best."""
        given = np.asarray(rows, dtype=np.int64).reshape(-1)
        values = np.asarray(scores, dtype=np.float64).reshape(-1)
        order = np.lexsort((given, -values))[:limit]
        return cls(given[order], values[order])

    @classmethod
    def empty(cls) -> Ranking:
        """No answers."""
        return cls(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64))

    def at_least(self, threshold: float | None) -> Ranking:
        """Without scores below a threshold."""
        if threshold is None:
            return self
        fine = self.scores >= threshold
        return Ranking(self.rows[fine], self.scores[fine])

    def part(self, start: int, stop: int | None) -> Ranking:
        """Places start .. stop - 1."""
        return Ranking(self.rows[start:stop], self.scores[start:stop])
