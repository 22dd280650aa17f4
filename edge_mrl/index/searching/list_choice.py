"""The shortest lists, and the margin, that hold what is wanted of a sample's true neighbours. Pure
arrays.

Of the ways to share out what may be missed among two lists, the cheapest is taken: where the scan's
codes are coarse its list has a heavy tail, and a miss there saves more rows than one in the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl.index.searching.funnel import (
    CONFIDENCE,
    MEASURED_K,
    WIDEST_MARGIN,
    Measurement,
)
from edge_mrl.index.searching.list_growth import grown
from edge_mrl.index.searching.row_costs import shared_misses
from edge_mrl.index.searching.stored_loss import WANTED_RECALL
from edge_mrl.index.searching.trials import Trial, depths, shortfalls_and_spread

IntArray = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint16]

MARGIN_SHARE = 0.75
"""Of what the last list may miss, what the margin may. It decides how many rows are read for most
queries, the list for those with many near their best."""

_RESAMPLES = 1000
"""Enough for the 2.5th percentile to rest on 25 values."""

_COUNTED = 128
"""Of the largest values, at first: half a MiB of counts, and 1 ms a table. This is the peak of
adding on the smallest board."""


class _Choice(NamedTuple):
    """Lists of a sample, the margin, and what a search of the whole index costs with them, in rows
    reread."""

    lengths: tuple[int, ...]
    margin: float
    cost: float


def measure_shortlist(
    trials: Iterable[Trial],
    documents: int,
    wanted: float = WANTED_RECALL,
    look_cost: float = 0.0,
) -> Measurement:
    """Lists, and a margin, that hold the wanted share of the true neighbours, with `CONFIDENCE`.

    Args:
        trials: one or more, each over the same n >= 2 rows and with the same lists.
        documents: how many documents the whole index holds.
        wanted: share, above 0 and at most 1.
        look_cost: of a row of the first of two lists, in rows reread.
    """
    found: list[IntArray] = []
    missing: list[Values] = []
    near: list[npt.NDArray[np.float32]] = []
    sampled = 0
    for trial in trials:
        found.append(depths(trial))
        short, distances = shortfalls_and_spread(trial)
        missing.append(short)
        near.append(distances)
        sampled = trial.coded[0].size
    tables = np.array(found).swapaxes(0, 1)
    below, spreads = np.array(missing), np.array(near)
    near.clear()
    lists, queries = tables.shape[:2]
    drawn = resamples(queries)
    ways = shared_misses(1 - wanted, lists)
    ends = [
        upper_ends(table, drawn, [1 - way[place] for way in ways])
        for place, table in enumerate(tables)
    ]
    margins = upper_ends(below, drawn, [1 - MARGIN_SHARE * way[-1] for way in ways])
    choices = []
    for number, margin in enumerate(margins):
        lengths = tuple(int(end[number]) for end in ends)
        # Most of what the margin misses the last list misses too; should it not, it is widened.
        listed = _listed(tables, lengths)
        margin = max(margin, needed_depth(np.where(listed, below, np.inf), wanted))
        long = [grown(length, sampled, documents, MEASURED_K) for length in lengths]
        reread = float(np.minimum(long[-1], (spreads <= margin).sum(axis=1)).mean())
        choices.append(_Choice(lengths, margin, look_cost * long[0] + reread))
    best = min(choices, key=lambda choice: choice.cost)
    each = (_listed(tables, best.lengths) & (below <= best.margin)).mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn @ each.astype(np.float32) / queries, (tail, 1 - tail))
    return Measurement(
        shortlist=best.lengths[-1],
        recall=float(each.mean()),
        documents=documents,
        sampled=sampled,
        queries=queries,
        recall_low=float(low),
        recall_high=float(high),
        first_list=best.lengths[0] if lists > 1 else None,
        margin=min(best.margin, WIDEST_MARGIN) if math.isfinite(best.margin) else None,
    )


def resamples(queries: int) -> Counts:
    """(_RESAMPLES, queries) how often each query is among as many that were drawn with putting
    back; at most 65 535 queries."""
    # Seeded, so that the same index gives the same figures. numpy's generators take 6 MB to import.
    generator = Random(queries)
    drawn = np.empty((_RESAMPLES, queries), dtype=np.uint16)
    for row in drawn:
        chosen = np.frombuffer(generator.randbytes(4 * queries), dtype="<u4") % queries
        row[:] = np.bincount(chosen, minlength=queries)
    return drawn


def _listed(tables: IntArray, lengths: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Which neighbours all lists hold: (queries, k) of (lists, queries, k) depths."""
    held: npt.NDArray[np.bool_] = np.all(tables <= np.array(lengths)[:, None, None], axis=0)
    return held


def upper_ends(table: IntArray | Values, drawn: Counts, wanted: Sequence[float]) -> list[float]:
    """The upper ends of the intervals of a list's length, or of a margin.

    Args:
        table: (queries, k) depths or shortfalls.
        drawn: see `resamples`.
        wanted: shares of the neighbours.

    Returns:
        One for each share.
    """
    beyond = [table.size - 1 - _place(share, table.size) for share in wanted]
    # Only the largest values matter, where all but a part is wanted: they are counted from the
    # largest down, as often as their queries were drawn.
    order = np.argsort(-table, axis=None)
    taken = 0
    while True:
        taken = min(table.size, max(_COUNTED, 4 * taken))
        counted = np.cumsum(drawn[:, order[:taken] // table.shape[1]], axis=1, dtype=np.int32)
        if counted[:, -1].min() > max(beyond):
            break
    falling = table.ravel()[order[:taken]]
    needed = np.stack([falling[(counted > many).argmax(axis=1)] for many in beyond], axis=1)
    upper = np.quantile(needed, CONFIDENCE, axis=0, method="higher")
    # The sample itself is never missed, however the draws fall.
    return [
        max(float(end), needed_depth(table, share))
        for end, share in zip(upper, wanted, strict=True)
    ]


def needed_depth(found: IntArray | Values, wanted: float) -> float:
    """The shortest list, or the smallest margin, that holds the wanted share of neighbours.

    Args:
        found: depths or shortfalls of any shape, at least one.
        wanted: share, above 0 and at most 1.
    """
    place = _place(wanted, found.size)
    return float(np.partition(found.ravel(), place)[place])


def _place(wanted: float, count: int) -> int:
    """Of so many values in rising order, the place of the first that holds the wanted share."""
    return max(0, math.ceil(wanted * count) - 1)
