"""Which rows of a filter a search reads: more of them where the filter leaves out what is nearest.

Lists are measured on searches of all documents. The rows that lie beyond the nearest are many of
nearly the same score, so codes hide the best of them behind more others.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl.index.searching.scan_list import Scanned
from edge_mrl.retrieval.ranking import Ranking

IntArray = npt.NDArray[np.int64]

GROWTH = 4
"""A list that may be too short becomes so many times as long."""

WIDER = 1.25
"""The margin where a filter keeps few: the best are farther from the query, and their codes say
less."""


class Shortlist(NamedTuple):
    """What a search by the index's own stages reads.

    Attributes:
        rows: row numbers, in any order.
        keeps: how many each stage in memory handed on; None where all rows of the filter are read.
        bytes_read: what was read of the file to find them, where codes are not in memory.
    """

    rows: IntArray
    keeps: tuple[int, ...] | None
    bytes_read: int = 0


def filtered_list(
    scan: Callable[[tuple[int, ...]], Scanned],
    full_score: Callable[[Scanned], float],
    best: Callable[[IntArray], Ranking],
    keeps: tuple[int, ...],
    rank: int,
    count: int,
    margin: float,
) -> Shortlist:
    """The rows within the margin, of lists that are long enough.

    A list that lies within the margin to its end may be too short, and is made longer; at last it
    holds all rows of the filter. Among many rows of nearly the same score the best estimates are
    those that err most, so the margin then begins at the best cosine but `rank` - 1 that was read.

    Args:
        scan: the rows that the stages in memory keep, by how many each of them hands on.
        full_score: of a cosine of 1, in what was scanned.
        best: reads rows, and gives the best `rank` of them by their cosines.
        keeps: of a search without a filter.
        rank: how many hits count, 1 or more.
        count: rows that the filter keeps, more than the first of `keeps`.
        margin: how far below the best an estimated cosine may lie that is worth reading; infinite
            where nothing was measured.
    """
    known = inf
    while True:
        found = scan(keeps)
        full = full_score(found)
        if found.rows.size <= rank or margin == inf or not full:
            return Shortlist(found.rows, keeps)
        floor = min(float(found.scores[rank - 1]), known * full) - margin * full
        rows = found.rows[: int(np.count_nonzero(found.scores >= floor))]
        if rows.size < found.rows.size or keeps[-1] >= count:
            return Shortlist(rows, keeps)
        known = float(best(rows).scores[-1])
        keeps = tuple(min(count, GROWTH * keep) for keep in keeps)
