"""Every choice that a bundle leaves open, each with its cost and its worth. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import get_args

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.planning import encoder_cost, search_cost
from edge_mrl.planning.adding_cost import adding_memory
from edge_mrl.planning.companion_cost import NO_COMPANIONS, Companions, whole_file
from edge_mrl.planning.cost import Cost
from edge_mrl.planning.expected_lists import expected_lists
from edge_mrl.planning.facts import BundleFacts, IndexFacts, VariantFacts
from edge_mrl.planning.search_cost import Home
from edge_mrl.profiles.profile import Budgets, DeviceProfile
from edge_mrl.slices import Slice

_STORED_LEAST_BITS = 8
_CODE_MOST_BITS = 8
"""An index stores 8 bits or more and scans 8 or fewer; see `IndexLayout`."""

_REFINE_BITS = (2, 4, 8)

HOMES = get_args(Home)

QUALITY_STEP = 0.005
"""Smaller differences in quality are noise: a table is measured on some hundred queries."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be planned; `index` is None where there is none yet, `keep_layout` says that only
    its layout is a choice."""

    bundle: BundleFacts
    profile: DeviceProfile
    documents: int
    text_bytes: int
    recall: float
    index: IndexFacts | None = None
    keep_layout: bool = False
    companions: Companions = NO_COMPANIONS
    text_tokens: int | None = None

    def at(self, documents: int) -> Request:
        """The same for another number of documents."""
        return replace(self, documents=documents)

    def measured(self, layout: IndexLayout) -> IndexFacts | None:
        """The index, if the shortlist of this layout was measured on it."""
        if self.index is None or not self.index.measured or self.index.layout != layout:
            return None
        return self.index


@dataclass(frozen=True, slots=True)
class Candidate:
    """One choice of variant, sequence length, layout and home of the scan codes, and what it comes
    to; `max_tokens` is where texts are cut."""

    variant: VariantFacts
    max_tokens: int | None
    layout: IndexLayout
    home: Home
    shortlists: tuple[int, ...]
    cost: Cost
    recall: float
    quality_kept: float

    @property
    def step(self) -> int:
        """Quality on a grid of `QUALITY_STEP`.

        Quality is compared on this grid and not by differences, because "nearly equal" is not
        transitive: on the grid a larger budget can never lose a step.
        """
        return round(self.quality_kept / QUALITY_STEP)

    def tokens_read(self, text_tokens: int | None) -> float:
        """How many tokens of a text are read at most: of the longest that will come, if known."""
        limit = math.inf if self.max_tokens is None else self.max_tokens
        return limit if text_tokens is None else min(limit, text_tokens)

    def budget_shares(self, budgets: Budgets) -> dict[str, float]:
        """Budget -> the share of it that this uses."""
        return {
            "memory": self.cost.peak_bytes / budgets.memory_bytes,
            "storage": self.cost.storage_bytes / budgets.storage_bytes,
            "latency": self.cost.latency / budgets.query_latency,
            "embedding": self.cost.embedding / budgets.embedding_latency,
        }

    def overruns(self, budgets: Budgets) -> dict[str, float]:
        """Budget -> how many times over it this is, for those that are exceeded."""
        shares = self.budget_shares(budgets)
        # A missed floor counts as a shortfall, so that all five compare as "times too much".
        if self.quality_kept < budgets.quality_kept:
            shares["quality"] = budgets.quality_kept / max(self.quality_kept, 1e-6)
        return {budget: share for budget, share in shares.items() if share > 1}

    def merit(self, text_tokens: int | None) -> tuple[float, ...]:
        """What is wanted most, before what is cheap: less is better. Quality, the longest texts
        read, the fastest encoder, codes in memory."""
        return (
            -self.step,
            -self.tokens_read(text_tokens),
            encoder_cost.encode_time(self.variant),
            # Memory that is granted is there to be used: a search should not wait for the disk.
            self.home == "disk",
        )

    def price(self, budgets: Budgets) -> float:
        """How much of the memory and latency budgets this uses, added up: what "cheap" means here.

        Memory alone would be a bad measure: it would save two megabytes of a gigabyte by making a
        search ten times slower.
        """
        share = self.cost.memory_bytes / budgets.memory_bytes
        return round(share + self.cost.latency / budgets.query_latency, 9)


def candidates(request: Request) -> tuple[Candidate, ...]:
    """All that the device has an engine for and the quality table covers, fitting or not."""
    return tuple(
        candidate
        for variant in request.bundle.variants
        if request.profile.facts.runs(variant.engines)
        for max_tokens in encoder_cost.reading_lengths(variant, request.text_tokens)
        for layout in _layouts(request, variant.dims)
        for home in HOMES
        if (candidate := evaluate(request, variant, max_tokens, layout, home)) is not None
    )


def evaluate(
    request: Request,
    variant: VariantFacts,
    max_tokens: int | None,
    layout: IndexLayout,
    home: Home,
) -> Candidate | None:
    """Cost and worth of one choice; None where the quality table lacks one of its slices."""
    documents = request.documents
    stored = request.bundle.quality_of(layout.stored)
    lists = expected_lists(
        request.bundle, layout, documents, request.recall, request.measured(layout)
    )
    if stored is None or lists is None:
        return None
    facts = request.profile.facts
    cost = Cost(
        encoder_bytes=encoder_cost.encoder_memory(variant, max_tokens),
        index_bytes=search_cost.index_memory(layout, documents, lists.lengths, home),
        ingest_bytes=adding_memory(layout, documents, request.text_bytes, home),
        row_cache_bytes=0,
        bundle_bytes=variant.disk_bytes,
        file_bytes=whole_file(
            layout, documents, request.text_bytes, request.companions, request.index
        ),
        latency=search_cost.query_latency(facts, layout, documents, lists.lengths, home),
        embedding=encoder_cost.embedding_latency(
            request.profile, request.bundle, variant, _query_tokens(max_tokens)
        ),
    )
    return Candidate(
        variant=variant,
        max_tokens=max_tokens,
        layout=layout,
        home=home,
        shortlists=lists.lengths,
        cost=cost,
        recall=lists.recall,
        # What a search finds beyond the recall that is asked for is not worth anything else:
        # a small index would otherwise be planned to reread all of itself.
        quality_kept=stored.kept * min(lists.recall, request.recall),
    )


def with_rows_held(request: Request, one: Candidate) -> Candidate:
    """The same with all stored rows in memory, where the budget leaves room and it is worth it.

    No choice rests on it, since rows are there only when searches have read them.
    """
    needed = search_cost.row_cache(one.layout, request.documents)
    left = request.profile.budgets.memory_bytes - one.cost.peak_bytes
    if one.home == "disk" or needed > min(left, search_cost.ROW_CACHE):
        return one
    latency = search_cost.query_latency(
        request.profile.facts, one.layout, request.documents, one.shortlists, held=True
    )
    if needed > search_cost.SMALL_ROW_CACHE and latency > 0.75 * one.cost.latency:
        return one
    return replace(one, cost=replace(one.cost, row_cache_bytes=needed, latency=latency))


def _query_tokens(max_tokens: int | None) -> int:
    """The length of a query for which the embedding latency is planned, where texts are cut."""
    planned = encoder_cost.QUERY_TOKENS
    return planned if max_tokens is None else min(planned, max_tokens)


def needless_bits(bundle: BundleFacts, stored: Slice) -> bool:
    """Whether fewer stored bits at the same dimensions keep as much, within `QUALITY_STEP`.

    Such slices are no candidates: on the grid a difference of a thousandth can fall across an
    edge, and would then be bought with a file four times the size.
    """
    row = bundle.quality_of(stored)
    return row is not None and any(
        other.slice.dim == stored.dim
        and _STORED_LEAST_BITS <= other.slice.bits < stored.bits
        and row.kept - other.kept < QUALITY_STEP
        for other in bundle.quality.slices
    )


def _layouts(request: Request, dims: tuple[int, ...]) -> Iterator[IndexLayout]:
    """Every choice of measured slices that an index can keep and the variant can give.

    A refine slice has the stored one's dimensions: a shorter one costs a jump in memory as well,
    and leaves more rows to be read from the file. It has fewer bits: at as many it would be the
    stored rows once more, which a row cache holds without a copy in the file. Among 6274 documents
    (wordllama) a search took 0.19 ms with 256x1 and 256x8, 0.16 with 256x2 alone, in a file of 5.6
    and 4.1 MB.
    """
    bundle, index = request.bundle, request.index
    if request.keep_layout and index is not None:
        if index.layout.stored.dim <= max(dims):
            yield index.layout
        return
    measured = sorted(row.slice for row in bundle.quality.slices if row.slice.dim in dims)
    for stored in measured:
        if stored.bits < _STORED_LEAST_BITS or needless_bits(bundle, stored):
            continue
        codes = [one for one in measured if one.dim <= stored.dim and one.bits <= _CODE_MOST_BITS]
        finer = [
            one
            for one in codes
            if one.dim == stored.dim and one.bits in _REFINE_BITS and one.bits < stored.bits
        ]
        for scan in codes:
            yield IndexLayout(stored, scan)
            for refine in finer:
                if refine.code_bytes > scan.code_bytes:
                    yield IndexLayout(stored, scan, refine)
