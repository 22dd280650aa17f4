"""Fusion against the published definitions, written here a second time with plain Python."""

import math
import statistics

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from edge_mrl.errors import InputError
from edge_mrl.retrieval import Dbsf, Prefetch, Rrf
from edge_mrl.retrieval.fusion import fuse
from edge_mrl.retrieval.ranking import Ranking

SCORES = st.one_of(
    st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 3)), st.sampled_from([0.0, 1.0])
)
LISTS = st.lists(
    st.dictionaries(st.integers(1, 30), SCORES, max_size=15).map(
        lambda found: sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ),
    min_size=1,
    max_size=4,
)


def as_rankings(lists):
    return [Ranking.of([r for r, _ in one], [s for _, s in one]) for one in lists]


def ordered(scores):
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def assert_same(found, expected):
    assert set(found.rows.tolist()) == {row for row, _ in expected}
    by_row = dict(expected)
    for row, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True):
        assert score == pytest.approx(by_row[row], rel=1e-9, abs=1e-9)
    assert sorted(found.scores.tolist(), reverse=True) == found.scores.tolist()


@given(LISTS, st.sampled_from([1, 2, 60, 1.5]), st.booleans())
@settings(deadline=None)
def test_reciprocal_rank_as_qdrant_defines_it(lists, k, weighted):
    weights = [0.5 * n for n in range(len(lists))] if weighted else [1.0] * len(lists)
    scores = {}
    for weight, one in zip(weights, lists, strict=True):
        for position, (row, _) in enumerate(one):
            added = 1 / ((position + 1) / weight + k - 1) if weight else 0.0
            scores[row] = scores.get(row, 0.0) + added
    fusion = Rrf(k, tuple(weights) if weighted else None)
    assert_same(fuse(fusion, as_rankings(lists)), ordered(scores))


@given(LISTS)
@settings(deadline=None)
def test_reciprocal_rank_as_published_where_nothing_is_given(lists):
    scores = {}
    for one in lists:
        for rank, (row, _) in enumerate(one, 1):
            scores[row] = scores.get(row, 0.0) + 1 / (60 + rank)
    assert_same(fuse(Rrf(), as_rankings(lists)), ordered(scores))


KNOWN = [
    [(1, 9.5), (2, 7.25), (3, 7.0), (4, 1.5)],
    [(3, 0.9), (5, 0.8), (1, 0.1)],
    [(6, 3.0)],
    [],
]


@pytest.mark.parametrize(
    ("fusion", "expected"),
    [
        (Rrf(2), {1: 0.75, 3: 0.75, 6: 0.5, 2: 1 / 3, 5: 1 / 3, 4: 0.2}),
        (
            Rrf(5, (2.0, 0.5, 1.0, 3.0)),
            {
                **{3: 0.3484848484848485, 1: 0.3222222222222222, 2: 0.2},
                **{6: 0.2, 4: 0.16666666666666666, 5: 0.125},
            },
        ),
        (Rrf(1, (0.0, 3.0, 1.0, 3.0)), {3: 3.0, 5: 1.5, 1: 1.0, 6: 1.0, 2: 0.0, 4: 0.0}),
        (
            Dbsf(),
            {
                **{3: 1.1484127958365073, 1: 0.9650885284984009, 5: 0.5764719112901873},
                **{2: 0.5459612666834909, 6: 0.5, 4: 0.26406549769141346},
            },
        ),
    ],
)
def test_scores_that_qdrant_gives(fusion, expected):
    """From `qdrant_client.hybrid.fusion` of qdrant-client 1.20.0, Qdrant in Python."""
    found = fuse(fusion, as_rankings(KNOWN))
    assert dict(zip(found.rows.tolist(), found.scores.tolist(), strict=True)) == pytest.approx(
        expected
    )


@given(LISTS)
@settings(deadline=None)
def test_distribution_based_as_qdrant_defines_it(lists):
    scores = {}
    for one in lists:
        values = [score for _, score in one]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        for row, score in one:
            if spread == 0:
                scaled = 0.5
            else:
                low = statistics.fmean(values) - 3 * spread
                high = statistics.fmean(values) + 3 * spread
                scaled = (score - low) / (high - low)
            scores[row] = scores.get(row, 0.0) + scaled
    assert_same(fuse(Dbsf(), as_rankings(lists)), ordered(scores))


def test_equal_scores_go_to_the_lower_row_and_the_limit_cuts():
    lists = [Ranking.of([5, 3], [2.0, 1.0]), Ranking.of([3, 5], [2.0, 1.0])]
    assert fuse(Rrf(), lists).rows.tolist() == [3, 5]
    assert fuse(Rrf(), lists, 1).rows.tolist() == [3]
    assert fuse(Rrf(), lists).scores[0] == pytest.approx(1 / 61 + 1 / 62)
    assert fuse(Rrf(), [Ranking.empty()]).rows.size == 0
    assert fuse(Dbsf(), []).rows.size == 0
    assert not math.isnan(fuse(Dbsf(), [Ranking.of([1, 2], [3.0, 3.0])]).scores.sum())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"slice": (64, 4), "using": "lexical"}, "both slice and using"),
        ({"using": "bm25"}, r"using must be a slice .* not 'bm25'"),
        ({"slice": (64, 3)}, "3 bits"),
        ({"limit": 0}, "limit must be a whole number from 1"),
        ({"prefetch": ["a"]}, "prefetch must be a Prefetch or a list"),
        ({"fusion": "rrf"}, "needs prefetches"),
        ({"fusion": "rrf", "prefetch": Prefetch(), "using": "dense"}, "fusion gives the order"),
        ({"fusion": Rrf(weights=(1, 2)), "prefetch": Prefetch()}, "2 weights for 1"),
        ({"fusion": "borda", "prefetch": Prefetch()}, "fusion must be"),
        ({"score_threshold": "high"}, "score_threshold must be a number"),
    ],
)
def test_what_a_prefetch_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        Prefetch(**arguments)


def test_fusions_and_depth_are_bounded():
    for wrong in (0, -1, float("nan"), "60", True):
        with pytest.raises(InputError, match="k of a fusion"):
            Rrf(wrong)
    with pytest.raises(InputError, match="weights"):
        Rrf(weights=(1, -1))
    deep = Prefetch()
    with pytest.raises(InputError, match="deeper than 16"):
        for _ in range(20):
            deep = Prefetch(prefetch=deep)
