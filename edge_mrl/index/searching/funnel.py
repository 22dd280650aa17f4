"""How many candidates the scan must hand on. Pure arithmetic.

The scan orders rows by coarse codes, and may hand a first list on to finer codes in memory; the
best of these, the shortlist, are read again at the stored precision. How long the lists must be
depends on the model and the texts, so it is measured on the index's own vectors: documents stand in
as queries, and the depth at which the codes have all but a part of their true neighbours is what is
needed. That part is 1 %, less what the stored precision loses; with two lists, half of it in each.
Some hundred queries do not tell that depth exactly, so a list is the upper end of its confidence
interval, and the recall is stated with one.

Both intervals are percentile bootstraps (B. Efron and R. Tibshirani, "An Introduction to the
Bootstrap", 1993, chapter 13) that draw whole queries: neighbours of one query are found or missed
together, so an interval that counts them one by one, as Wilson's would, is too narrow.

Of the shortlist itself only rows are read that are estimated within a margin of the best, which is
measured in the same way; see `margin`.
"""

import json
import math
from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import IndexFileError
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.searching.list_growth import grown
from edge_mrl.index.searching.margin import gaps
from edge_mrl.kernel import top_positions
from edge_mrl.schema import Table
from edge_mrl.slices import FloatArray, Slice

IntArray = npt.NDArray[np.int64]
_Needs = IntArray | npt.NDArray[np.float64]

WANTED_RECALL = 0.99
"""Share of the exact float32 top 10 that a search shall find."""

STORED_MISSES = {8: 0.006}
"""Bits of the stored vectors -> share of the float32 top 10 that is not among their own: 0.006 of
wordllama's at 256 dimensions and of MiniLM's at 384, among 10 000 and 100 000 texts. An index no
longer has the float32 vectors, so its lists are measured against the stored ones and must hold so
much more of those."""

MEASURED_K = 10

LEAST_DOCUMENTS = 2000
"""A smaller index is not measured: the unmeasured shortlist reads half of it anyway."""

UNMEASURED_SHORTLIST = 1000
"""Until the first measurement: five times what 1 bit at 256 dimensions needed among 100 000 texts
(192)."""

UNMEASURED_REFINED_LIST = 150
"""The same where finer codes order the candidates first: what 2 bits at 256 dimensions needed there
was 40. A small index that is never measured would otherwise reread half of itself."""

UNMEASURED_FIRST_LIST = 4000
"""Until the first measurement, where finer codes follow: twice what 1 bit at 128 dimensions needed
there (2128)."""

CONFIDENCE = 0.95
"""Of the interval of the recall, and one-sided of the shortlist. Among 99 272 texts (wordllama,
64x4) the shortlists of three samples found 0.987 to 0.990 of the top 10 of 600 held-out texts
without this margin and 0.991 to 0.993 with it, at 1.4 to 1.6 times the length."""

MARGIN_SHARE = 0.75
"""Of what the last list may miss, what the margin may. It decides how many rows are read for most
queries, the list for those with many near their best."""

_RESAMPLES = 1000
"""Enough for the 2.5th percentile to rest on 25 values; 30 ms."""

_ROUNDING = 1e-6
_LARGEST = 2**40
_WIDEST = 4.0
"""Of a margin: all rows lie within it."""


class Measurement(NamedTuple):
    """The shortlist that an index's own vectors asked for.

    Attributes:
        shortlist: candidates that give `WANTED_RECALL` of the top 10 with `CONFIDENCE`.
        recall: the share found at that length on the sample, at least `WANTED_RECALL`.
        documents: how many documents the index held.
        sampled: how many of them were searched.
        queries: how many of them stood in as queries.
        recall_low: lower end of the interval of `recall`, for queries that are like the documents
            and an index of the sample's size; None in files that were written without it.
        recall_high: its upper end.
        first_list: candidates that the scan must hand on to finer codes; None without those.
        margin: how far the estimated cosine of a row of the shortlist may lie below the tenth best;
            None in files that were written without it: all of the shortlist is read.
    """

    shortlist: int
    recall: float
    documents: int
    sampled: int
    queries: int
    recall_low: float | None = None
    recall_high: float | None = None
    first_list: int | None = None
    margin: float | None = None

    def to_json(self) -> str:
        """The JSON text that is stored."""
        return json.dumps(self._asdict())

    @classmethod
    def from_json(cls, text: str, where: str) -> Self:
        """Read it back.

        Raises:
            IndexFileError: it is not what `to_json` writes.
        """
        try:
            table = Table(json.loads(text), where, IndexFileError)
        except (json.JSONDecodeError, RecursionError) as error:
            raise IndexFileError(
                f"{where} is damaged ({error}): optimise the index or build it again"
            ) from error
        return cls(
            shortlist=table.integer("shortlist", 1, _LARGEST),
            recall=table.number("recall", 0, 1),
            documents=table.integer("documents", 1, _LARGEST),
            sampled=table.integer("sampled", 1, _LARGEST),
            queries=table.integer("queries", 1, _LARGEST),
            recall_low=table.optional_number("recall_low", 0, 1),
            recall_high=table.optional_number("recall_high", 0, 1),
            first_list=table.optional_integer("first_list", 1, _LARGEST),
            margin=table.optional_number("margin", 0, _WIDEST),
        )


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


def shortfalls(trial: Trial) -> npt.NDArray[np.float64]:
    """How far below the k-th best estimated cosine that of each of the true top k is.

    Returns:
        (k,) float64, infinite where the trial has no unit.
    """
    count = trial.nearest.size
    if trial.unit is None:
        return np.full(count, np.inf)
    return trial.unit * gaps(trial.coded[-1], trial.own, trial.nearest, count)


def measure_shortlist(
    trials: Iterable[Trial], documents: int, wanted: float = WANTED_RECALL
) -> Measurement:
    """Lists, and a margin, that hold the wanted share of the true neighbours, with `CONFIDENCE`.

    Args:
        trials: one or more, each over the same n >= 2 rows and with the same lists.
        documents: how many documents the whole index holds.
        wanted: share, above 0 and at most 1.
    """
    # A search reads what was measured, and need not wait for this.
    from random import Random

    found: list[IntArray] = []
    missing: list[npt.NDArray[np.float64]] = []
    sampled = 0
    for trial in trials:
        found.append(depths(trial))
        missing.append(shortfalls(trial))
        sampled = trial.coded[0].size
    tables = np.array(found).swapaxes(0, 1)
    below = np.array(missing)
    lists, queries = tables.shape[:2]
    # What may be missed is shared out among the lists.
    each_missed = (1 - wanted) / lists
    # Seeded, so that the same index gives the same figures. numpy's generators take 6 MB to import.
    numbers = np.frombuffer(Random(queries).randbytes(4 * _RESAMPLES * queries), dtype="<u4")
    drawn = (numbers % queries).astype(np.int64).reshape(_RESAMPLES, queries)
    lengths = [int(_upper_end(table, drawn, 1 - each_missed)) for table in tables]
    listed = np.all(tables <= np.array(lengths)[:, None, None], axis=0)
    margin = _upper_end(below, drawn, 1 - MARGIN_SHARE * each_missed)
    # Most of what the margin misses the last list misses too; should it not, it is widened.
    margin = max(margin, needed_depth(np.where(listed, below, np.inf), wanted))
    held = listed & (below <= margin)
    each = held.mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(each[drawn].mean(axis=1), (tail, 1 - tail))
    return Measurement(
        shortlist=lengths[-1],
        recall=float(each.mean()),
        documents=documents,
        sampled=sampled,
        queries=queries,
        recall_low=float(low),
        recall_high=float(high),
        first_list=lengths[0] if lists > 1 else None,
        margin=min(margin, _WIDEST) if math.isfinite(margin) else None,
    )


def _upper_end(table: _Needs, drawn: IntArray, wanted: float) -> float:
    """The upper end of the interval of a list's length, or of a margin.

    Args:
        table: (queries, k) depths or shortfalls.
        drawn: (resamples, queries) numbers of queries.
        wanted: share of the neighbours.
    """
    needed = [needed_depth(table[chosen], wanted) for chosen in drawn]
    upper = float(np.quantile(needed, CONFIDENCE, method="higher"))
    # The sample itself is never missed, however the draws fall.
    return max(upper, needed_depth(table, wanted))


def needed_depth(found: _Needs, wanted: float) -> float:
    """The shortest list, or the smallest margin, that holds the wanted share of neighbours.

    Args:
        found: depths or shortfalls of any shape, at least one.
        wanted: share, above 0 and at most 1.
    """
    place = max(0, math.ceil(wanted * found.size) - 1)
    return float(np.partition(found.ravel(), place)[place])


def wanted_of_stored(stored: Slice) -> float:
    """The share of the stored vectors' own top 10 that lists must hold for `WANTED_RECALL`."""
    return WANTED_RECALL + STORED_MISSES.get(stored.bits, 0.0)


def shortlists_for(
    measurement: Measurement | None, layout: IndexLayout, documents: int, k: int
) -> tuple[int, ...]:
    """How many candidates each list holds.

    Args:
        measurement: None before the first.
        layout: the slices; its `resident` ones have a list each.
        documents: how many documents the index holds now, 1 or more.
        k: hits wanted; a list for more than 10 grows in proportion.

    Returns:
        Falling lengths, each from min(k, documents) to `documents`; the last one is how many rows
        are read again at the stored precision.
    """
    first = last = None
    sampled = documents
    if measurement is not None:
        first, last, sampled = (
            measurement.first_list,
            measurement.shortlist,
            measurement.sampled,
        )
    many = max(1.0, k / MEASURED_K)

    def length(measured: int | None, unmeasured: int) -> int:
        base = float(unmeasured)
        if measured is not None:
            base = grown(measured, sampled, documents, MEASURED_K)
        return min(documents, max(k, math.ceil(base * many - _ROUNDING)))

    if layout.refine is None:
        return (length(last, UNMEASURED_SHORTLIST),)
    scanned = length(first, UNMEASURED_FIRST_LIST)
    refined = length(last, UNMEASURED_REFINED_LIST)
    return max(scanned, refined), refined


def is_due(measurement: Measurement | None, documents: int, *, least: int) -> bool:
    """Whether to measure again: the index has doubled, or has reached `least` without a
    measurement."""
    return documents >= (least if measurement is None else 2 * measurement.documents)
