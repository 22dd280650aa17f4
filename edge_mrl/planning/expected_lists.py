"""How long the lists of a search are, and what share of the top 10 they hold. Pure arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.searching.funnel import LEAST_DOCUMENTS, shortlists_for
from edge_mrl.index.searching.list_growth import grown
from edge_mrl.index.searching.row_costs import look_cost, shared_misses
from edge_mrl.index.searching.stored_loss import TYPICAL_LOSS, wanted_of_stored
from edge_mrl.planning.facts import BundleFacts, IndexFacts
from edge_mrl.slices import Slice

TOP_K = 10
"""Results that a search is planned for: quality is nDCG@10, so the top 10."""

TABLE_RECALL = 0.99
"""The recall for which the manifest's `shortlist` holds, by its definition."""

MISS_EXPONENT = 0.7
"""excess over the top 10 ~ (1 - recall) ** -0.7: fits the lists for 95 % and 99 % of MiniLM at 32
to 384 dimensions and 1 to 32 bits (the excess ratios are mostly 3.0 to 3.7 for a
fifth of the miss; 5 ** 0.7 = 3.1)."""

STORED_SAFETY = 3.0
STORED_EXTRA = 10
"""How long a list must be for a *smaller* stored slice's own top 10; see `list_rows`."""


UPPER_END = 1.4
"""How much longer an index makes the excess of a list than its sample asks for: the upper end of
the interval of 250 queries was 1.4 to 1.6 times as long; see `index.searching.funnel`."""


@dataclass(frozen=True, slots=True)
class Lists:
    """How many candidates each stage of a search hands on, and the expected share of the stored
    slice's top 10 that they hold."""

    lengths: tuple[int, ...]
    recall: float


def expected_lists(
    facts: BundleFacts,
    layout: IndexLayout,
    documents: int,
    recall: float,
    index: IndexFacts | None = None,
) -> Lists | None:
    """The lists of a search among so many documents.

    An index that has measured nothing yet, since it is small, takes lists of a fixed length: what
    they hold follows from those that the quality table asks for.

    Args:
        facts: of the bundle.
        layout: the slices.
        documents: how many.
        recall: the share that is asked for.
        index: what an index of this layout has measured; None where none has.

    Returns:
        None where the quality table lacks a slice.
    """
    wanted = shortlists(facts, layout, documents, recall)
    if wanted is None:
        return None
    if index is not None and index.shortlists is not None and documents > TOP_K:
        wanted = tuple(
            _lengthened(
                grown(rows, index.documents, documents, TOP_K), documents, miss_factor(recall)
            )
            for rows in index.shortlists
        )
        known = index.recall if recall == TABLE_RECALL else None
        found = recall if known is None else known
    elif documents < LEAST_DOCUMENTS:
        wanted = shortlists_for(None, layout, documents, TOP_K) if documents else wanted
        found = _recall_of(facts, layout, documents, wanted)
    else:
        found = recall
    return Lists(wanted, 1.0 if wanted[-1] >= documents else found)


def _odds(rows: float, documents: int) -> float:
    """A list's excess over the top 10 against the rows that it leaves out."""
    excess = max(0.0, rows - TOP_K)
    return excess / (documents - rows) if rows < documents else math.inf


def _lengthened(rows: float, documents: int, factor: float) -> int:
    """A list whose odds are so many times as high: a short one's excess is so many times as long,
    and no list is longer than the index."""
    odds = factor * _odds(rows, documents)
    if math.isinf(odds):
        return documents
    return min(documents, math.ceil(TOP_K + (documents - TOP_K) * odds / (1 + odds) - 1e-9))


def _recall_of(
    facts: BundleFacts, layout: IndexLayout, documents: int, lists: tuple[int, ...]
) -> float:
    """What lists of these lengths hold: the inverse of `miss_factor`, misses added up."""
    missed = 0.0
    for part, rows in zip(layout.resident, lists, strict=True):
        needed = list_rows(facts, part, layout.stored, documents, TABLE_RECALL)
        if needed is not None and rows < documents and needed > TOP_K:
            times = _odds(needed, documents) / _odds(max(TOP_K + 1, rows), documents)
            missed += (1 - TABLE_RECALL) * min(times, 1e6) ** (1 / MISS_EXPONENT)
    return max(0.0, 1 - missed)


def shortlists(
    facts: BundleFacts, layout: IndexLayout, documents: int, recall: float
) -> tuple[int, ...] | None:
    """How long an index makes its lists to hold `recall` of the float32 top 10.

    As an index does, they hold so much more of the stored vectors' own top 10 as these lose, two
    lists share out what may be missed by what their rows cost, and each is the upper end of an
    interval.

    Returns:
        Falling lengths, one for each resident slice, each at most `documents`; None where the
        quality table lacks a slice.
    """
    wanted = wanted_of_stored(TYPICAL_LOSS.get(layout.stored.bits, 0.0))
    missed = (1 - recall) * (1 - wanted) / (1 - TABLE_RECALL)
    looked = look_cost(layout)
    best: tuple[float, tuple[int, ...]] | None = None
    for way in shared_misses(missed, len(layout.resident)):
        found = [
            list_rows(facts, part, layout.stored, documents, 1 - each, UPPER_END)
            for part, each in zip(layout.resident, way, strict=True)
        ]
        known = [rows for rows in found if rows is not None]
        if len(known) < len(found):
            return None
        lengths = (*(max(rows, known[-1]) for rows in known[:-1]), known[-1])
        cost = looked * lengths[0] + lengths[-1]
        if best is None or cost < best[0]:
            best = cost, lengths
    assert best is not None
    return best[1]


def list_rows(
    facts: BundleFacts,
    codes: Slice,
    stored: Slice,
    documents: int,
    recall: float,
    safety: float = 1.0,
) -> int | None:
    """How many rows codes must hand on to hold `recall` of the stored slice's top 10.

    The manifest's shortlist s(slice) covers the *full* vector's top 10 among the documents of the
    export; it grows as an index's own lists do, by `list_growth`. Two more steps are ours:

    - another recall than 99 %: the excess over 10, against the rows left out, goes with
      (1 - recall) ** -`MISS_EXPONENT`;
    - the stored slice is smaller than the full vector: its top 10 are nearer to the scan's than the
      full vector's are. The list is then min(s(scan), 10 + 10 + 3 * (sqrt(s(scan)) -
      sqrt(s(stored))) ** 2), and 10 where the two slices are the same. Square roots, because noise
      adds in quadrature. On wordllama (25 339 Debian package descriptions, 300 queries) this
      covered 99 % of the top 10 for each pair of 64, 128 and 256 dimensions and 8, 4, 2 and 1 bits,
      within rounding of the table; without the factor 3 and the 10 it missed at 2 and 4 bits.

    Args:
        facts: of the bundle.
        codes: of the list.
        stored: the slice whose top 10 are wanted.
        documents: how many there are.
        recall: the share that is wanted.
        safety: how many times as long the excess over 10 shall be.

    Returns:
        Rows, at most `documents`; None where the quality table lacks one of the two slices.
    """
    coarse, exact = facts.quality_of(codes), facts.quality_of(stored)
    if coarse is None or exact is None:
        return None
    if documents <= TOP_K:
        return documents
    if codes == stored:
        return TOP_K
    measured = facts.quality.documents or documents
    whole, part = (
        max(float(TOP_K), grown(row.shortlist, measured, documents, TOP_K))
        for row in (coarse, exact)
    )
    noise = max(0.0, math.sqrt(whole) - math.sqrt(part)) ** 2
    needed = min(whole, TOP_K + STORED_EXTRA + STORED_SAFETY * noise)
    return _lengthened(needed, documents, miss_factor(recall) * safety)


def miss_factor(recall: float) -> float:
    """How many times as high a list's odds are for another recall than `TABLE_RECALL`."""
    factor: float = ((1 - TABLE_RECALL) / (1 - recall)) ** MISS_EXPONENT
    return factor
