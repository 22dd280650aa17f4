"""What must hold for every bundle, device and number of documents."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge_mrl.errors import PlanError
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.searching.funnel import LEAST_DOCUMENTS
from edge_mrl.planning import BundleFacts, DeviceProfile, IndexFacts, Plan, plan
from edge_mrl.planning.candidates import QUALITY_STEP
from edge_mrl.planning.search_cost import ROW_CACHE
from edge_mrl.slices import Slice
from tests.planning.bundles import (
    MINILM_VARIANTS,
    STATIC_VARIANTS,
    manifest,
    minilm_manifest,
    static_manifest,
)
from tests.planning.profiles import BOARD, MIB, board

DIMS = (64, 128, 256)
BITS = (1, 2, 4, 8)


@st.composite
def bundles(draw: st.DrawFn) -> BundleFacts:
    """The two usual bundles, or one with a quality table that need not even be sensible."""
    if draw(st.booleans()):
        usual = draw(st.sampled_from((static_manifest(), minilm_manifest())))
        return BundleFacts.from_manifest(usual)
    kept = {dim: draw(st.floats(0.3, 1.05)) for dim in DIMS}
    shortlist = {(dim, bits): draw(st.integers(1, 20_000)) for dim in DIMS for bits in BITS}
    onnx = [(*row[:3], DIMS, row[4]) for row in MINILM_VARIANTS]
    rows = draw(st.lists(st.sampled_from([*STATIC_VARIANTS, *onnx]), min_size=1, unique=True))
    growth = draw(st.floats(0, 1))
    documents = draw(st.integers(0, 10**6))
    facts = BundleFacts.from_manifest(
        manifest(rows, kept, shortlist, growth=growth, documents=documents)
    )
    limit = draw(st.sampled_from((None, 64, 256, 2048)))
    variants = tuple(replace(one, max_tokens=limit) for one in facts.variants)
    return replace(facts, variants=variants)


profiles = st.builds(
    board,
    memory_mib=st.floats(40, 400),
    storage_mib=st.floats(5, 4000),
    latency_ms=st.floats(5, 2000),
    embedding_ms=st.floats(1, 2000),
    kept=st.sampled_from((0.0, 0.7, 0.9)),
)
counts = st.integers(0, 3_000_000)
needs = st.none() | st.integers(1, 3000)


indexes = st.none() | st.builds(
    IndexFacts,
    st.integers(0, 10**6),
    st.sampled_from(
        [IndexLayout(Slice(dim, 8), Slice(dim, bits)) for dim in DIMS for bits in BITS]
    ),
    st.tuples(st.integers(1, 20_000)),
)


def outcome(
    facts: BundleFacts,
    profile: DeviceProfile,
    documents: int,
    index: IndexFacts | None = None,
    text_tokens: int | None = None,
) -> Plan | None:
    try:
        return plan(facts, profile, documents, index=index, text_tokens=text_tokens)
    except PlanError:
        return None


def quality(made: Plan | None) -> int:
    """Quality in the steps that the planner compares by; -1 where nothing fits."""
    return -1 if made is None else round(made.quality_kept / QUALITY_STEP)


def worth(made: Plan | None, text_tokens: int | None) -> tuple[int, float]:
    """Quality in steps, then how much is read of a text."""
    if made is None:
        return -1, 0.0
    read = math.inf if made.max_tokens is None else made.max_tokens
    return quality(made), read if text_tokens is None else min(read, text_tokens)


@given(bundles(), profiles, counts, indexes, needs)
@settings(deadline=None, max_examples=60)
def test_never_over_a_budget(
    facts: BundleFacts,
    profile: DeviceProfile,
    documents: int,
    index: IndexFacts | None,
    text_tokens: int | None,
) -> None:
    made = outcome(facts, profile, documents, index, text_tokens)
    if made is None:
        return
    variant = next(one for one in facts.variants if one.name == made.variant)
    assert made.memory_bytes <= profile.budgets.memory_bytes
    assert made.adding_bytes <= profile.budgets.memory_bytes
    assert all(share <= 1 for share in made.budget_shares.values())
    # The stored rows are in the file and perhaps in the row cache: codes as fine bring nothing.
    assert made.layout.refine is None or made.layout.refine.bits < made.layout.stored.bits
    assert made.index_file_bytes + variant.disk_bytes <= profile.budgets.storage_bytes
    assert made.query_latency_ms <= 1e3 * profile.budgets.query_latency
    assert made.quality_kept >= profile.budgets.quality_kept
    assert profile.facts.runs(variant.engines)
    assert made.embedding_latency_ms <= 1e3 * profile.budgets.embedding_latency
    assert 0 <= made.scan_budget_bytes <= profile.budgets.memory_bytes
    assert 0 <= made.row_cache_bytes <= min(ROW_CACHE, made.memory_bytes - made.encoder_bytes)
    if made.max_tokens != variant.max_tokens:
        # A text is never cut shorter than texts are, nor a query shorter than what is planned for.
        assert made.max_tokens is not None
        assert made.max_tokens >= (32 if text_tokens is None else text_tokens)
    assert made.layout.stored.dim in variant.dims
    assert len(made.shortlists) == len(made.layout.resident)
    assert documents >= made.shortlists[0] >= made.shortlists[-1]


more = st.floats(1, 4)


@given(bundles(), profiles, counts, st.tuples(more, more, more, more), needs)
@settings(deadline=None, max_examples=60)
def test_a_larger_budget_never_keeps_less(
    facts: BundleFacts,
    profile: DeviceProfile,
    documents: int,
    times: tuple[float, float, float, float],
    text_tokens: int | None,
) -> None:
    memory, storage, latency, embedding = times
    old = profile.budgets
    larger = replace(
        profile,
        budgets=replace(
            old,
            memory_bytes=int(old.memory_bytes * memory),
            storage_bytes=int(old.storage_bytes * storage),
            query_latency=old.query_latency * latency,
            embedding_latency=old.embedding_latency * embedding,
        ),
    )
    before, after = (outcome(facts, one, documents, None, text_tokens) for one in (profile, larger))
    assert worth(after, text_tokens) >= worth(before, text_tokens)


@given(bundles(), profiles, counts)
@settings(deadline=None, max_examples=30)
def test_the_same_input_gives_the_same_plan(
    facts: BundleFacts, profile: DeviceProfile, documents: int
) -> None:
    shuffled = replace(
        facts,
        variants=tuple(reversed(facts.variants)),
        quality=facts.quality._replace(slices=tuple(reversed(facts.quality.slices))),
    )
    first = outcome(facts, profile, documents)
    assert outcome(facts, profile, documents) == first
    again = outcome(shuffled, profile, documents)
    assert (again is None) == (first is None)
    if again is not None and first is not None:
        assert replace(again, because=()) == replace(first, because=())


@given(bundles(), profiles, counts, counts, indexes)
@settings(deadline=None, max_examples=60)
def test_more_documents_never_keep_more(
    facts: BundleFacts, profile: DeviceProfile, some: int, others: int, index: IndexFacts | None
) -> None:
    # An index that becomes large enough to measure its lists finds more with them.
    assume((some < LEAST_DOCUMENTS) == (others < LEAST_DOCUMENTS))
    fewer, more = (outcome(facts, profile, count, index) for count in sorted((some, others)))
    assert quality(more) <= quality(fewer)


def test_the_board_used_here_is_within_its_own_memory() -> None:
    assert BOARD.budgets.memory_bytes < 400 * MIB
