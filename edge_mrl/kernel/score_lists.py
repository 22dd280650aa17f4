"""Sums over lists of rows and scores, and the best of them: what words add to documents. Pure; the
definition that a compiled kernel equals to the last bit."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
SumArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_SAMPLED = 16
"""One sum in so many is looked at first, for a threshold."""
_SPAN_BITS = 16


class ScoreList(NamedTuple):
    """What one word adds to the score of each row that has it: 6 bytes a row.

    Attributes:
        rows: (n,) uint16, the lower 16 bits of each row, in rising order of the rows.
        scores: (n,) float32, above 0.
        starts: (spans + 1,) int64: where the rows of each span of 65 536 begin, and where they end.
        largest: the last row; -1 where there is none.
        address: where a compiled kernel finds the three arrays, and how many spans; holds as long
            as this object lives.
    """

    rows: npt.NDArray[np.uint16]
    scores: npt.NDArray[np.float32]
    starts: IntArray
    largest: int
    address: tuple[int, int, int, int]

    @classmethod
    def of(cls, rows: npt.ArrayLike, scores: npt.ArrayLike) -> Self:
        """A list of rows and their scores.

        Raises:
            ValueError: the rows do not rise, or a score is not above 0 and finite.
        """
        given = np.asarray(rows, dtype=np.int64)
        own = np.ascontiguousarray(scores, dtype=np.float32)
        if given.ndim != 1 or given.shape != own.shape:
            raise ValueError(f"rows of shape {given.shape}, scores of {own.shape}")
        if given.size and (given[0] < 0 or not (given[1:] > given[:-1]).all()):
            raise ValueError("the rows of a list must rise from 0 or more")
        if not ((own > 0) & (own < np.inf)).all():
            raise ValueError("the scores of a list must be above 0")
        largest = int(given[-1]) if given.size else -1
        spans = (largest >> _SPAN_BITS) + 1
        starts = np.searchsorted(given, np.arange(spans + 1) << _SPAN_BITS).astype(np.int64)
        low = given.astype(np.uint16)
        places = low.ctypes.data, own.ctypes.data, starts.ctypes.data, spans
        return cls(low, own, starts, largest, places)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.rows.nbytes + self.scores.nbytes + self.starts.nbytes

    def add_to(self, sums: SumArray, held: IntArray | None) -> None:
        """Add the scores to the sums of all rows, and 1 to how many lists hold each."""
        for span in range(self.starts.size - 1):
            part = slice(self.starts[span], self.starts[span + 1])
            rows = self.rows[part].astype(np.intp)
            begin = span << _SPAN_BITS
            # Two thirds of the time of `sums[rows] += scores`.
            sums[begin:][rows] = sums[begin:].take(rows) + self.scores[part]
            if held is not None:
                held[begin:][rows] += 1


class BestRows(NamedTuple):
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
    largest = max((one.largest for one in lists), default=-1)
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
    held = np.zeros(rows, dtype=np.int64) if every else None
    for one in lists:
        one.add_to(sums, held)
    if held is not None:
        sums[held < len(lists)] = 0
    if allowed is not None:
        sums[~allowed] = 0
    found = _candidates(sums, keep)
    order = np.lexsort((found, -sums[found]))[:keep]
    best = found[order].astype(np.int64, copy=False)
    return BestRows(best, sums[best])


def _candidates(sums: SumArray, keep: int) -> IntArray:
    """The rows of the `keep` best sums above 0, and any that equal the last of them; rising.

    A sixteenth of the sums gives a threshold that about twice as many reach, so that few are put in
    order; where fewer reach it than are wanted, all are.
    """
    sample = sums[::_SAMPLED]
    # Many equal numbers take numpy's partition ten times as long.
    sample = sample[sample > 0]
    wanted = 2 * keep // _SAMPLED + _SAMPLED
    least = 0.0
    if sample.size > wanted:
        least = float(np.partition(sample, sample.size - wanted)[sample.size - wanted])
    found = np.flatnonzero(sums >= least) if least > 0 else np.flatnonzero(sums)
    if found.size < keep:
        found = np.flatnonzero(sums)
    if found.size > keep:
        values = sums[found]
        found = found[values >= np.partition(values, found.size - keep)[found.size - keep]]
    return found
