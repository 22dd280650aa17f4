"""Sums over lists of rows and scores, and the best of them: what words add to documents. Pure; the
definition that a compiled kernel equals to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
SumArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_SAMPLED = 16
"""One sum in so many is looked at first, for a threshold."""


@dataclass(frozen=True, slots=True)
class ScoreList:
    """What one word adds to the score of each row that has it.

    Attributes:
        rows: (n,) int32, rising, each once, 0 or more.
        scores: (n,) float32, above 0.
        address: where a compiled kernel finds rows, scores, and how many; holds as long as this
            object lives.

    Raises:
        ValueError: the arrays are not these.
    """

    rows: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    address: tuple[int, int, int]

    @classmethod
    def of(cls, rows: npt.ArrayLike, scores: npt.ArrayLike) -> ScoreList:
        """A list of rows and their scores.

        Raises:
            ValueError: the rows do not rise, or a score is not above 0 and finite.
        """
        own_rows = np.ascontiguousarray(rows, dtype=np.int32)
        own_scores = np.ascontiguousarray(scores, dtype=np.float32)
        if own_rows.ndim != 1 or own_rows.shape != own_scores.shape:
            raise ValueError(f"rows of shape {own_rows.shape}, scores of {own_scores.shape}")
        if own_rows.size and (own_rows[0] < 0 or not (own_rows[1:] > own_rows[:-1]).all()):
            raise ValueError("the rows of a list must rise from 0 or more")
        if not ((own_scores > 0) & (own_scores < np.inf)).all():
            raise ValueError("the scores of a list must be above 0")
        places = own_rows.ctypes.data, own_scores.ctypes.data, own_rows.size
        return cls(own_rows, own_scores, places)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.rows.nbytes + self.scores.nbytes


@dataclass(frozen=True, slots=True)
class BestRows:
    """The best rows by falling sum; equal sums by rising row.

    Attributes:
        rows: (m,) int64.
        sums: (m,) float64.
    """

    rows: IntArray
    sums: SumArray


def check_lists(lists: Sequence[ScoreList], rows: int, allowed: BoolArray | None) -> None:
    """Whether a kernel may add these lists up.

    Raises:
        ValueError: a list holds a row that there is not, or the mask is not one of all rows.
    """
    largest = max((int(one.rows[-1]) for one in lists if one.rows.size), default=-1)
    if largest >= rows:
        raise ValueError(f"a list holds row {largest} of {rows}")
    if allowed is not None and not (
        allowed.dtype == np.bool_ and allowed.shape == (rows,) and allowed.flags.c_contiguous
    ):
        raise ValueError(f"a mask of shape {allowed.shape} does not fit {rows} rows")


def best_rows(
    lists: Sequence[ScoreList], rows: int, keep: int, allowed: BoolArray | None, every: bool
) -> BestRows:
    """Find the best of the rows that any of the lists holds, by the sum of their scores.

    Scores are added in float64, list after list.

    Args:
        lists: what is added up.
        rows: how many rows there are.
        keep: how many are kept, 1 or more.
        allowed: (rows,) False for rows that must not be found; None where all may.
        every: only rows that all the lists hold.

    Raises:
        ValueError: see `check_lists`.
    """
    check_lists(lists, rows, allowed)
    sums = np.zeros(rows)
    for one in lists:
        sums[one.rows] += one.scores
    if every:
        held = np.zeros(rows, dtype=np.int32)
        for one in lists:
            held[one.rows] += 1
        sums[held < len(lists)] = 0
    if allowed is not None:
        sums[~allowed] = 0
    found = _candidates(sums, keep)
    order = np.lexsort((found, -sums[found]))[:keep]
    return BestRows(found[order], sums[found[order]])


def _candidates(sums: SumArray, keep: int) -> IntArray:
    """The rows of the `keep` best sums above 0, and any that equal the last of them; rising.

    A sixteenth of the sums gives a threshold that about twice as many reach, so that few are put in
    order; where fewer reach it than are wanted, all are.
    """
    sample = sums[::_SAMPLED]
    wanted = 2 * keep // _SAMPLED + _SAMPLED
    least = 0.0
    if sample.size > 4 * wanted:
        least = float(np.partition(sample, sample.size - wanted)[sample.size - wanted])
    found = np.flatnonzero(sums >= least) if least > 0 else np.flatnonzero(sums)
    if found.size < keep:
        found = np.flatnonzero(sums)
    if found.size > keep:
        values = sums[found]
        found = found[values >= np.partition(values, found.size - keep)[found.size - keep]]
    return found
