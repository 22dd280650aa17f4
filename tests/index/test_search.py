"""Searches beside a float64 search of all vectors."""

import numpy as np
import pytest

from edge_mrl.errors import (
    InputError,
)
from edge_mrl.index import IndexLayout
from edge_mrl.slices import Slice


@pytest.mark.parametrize("scan", ["32x1", "32x2", "32x4", "32x8", "16x8"])
@pytest.mark.parametrize("stored", ["32x8", "32x16", "32x32"])
def test_search_equals_brute_force(vector_index, clustered, brute_force, stored, scan):
    layout = IndexLayout(Slice.parse(stored), Slice.parse(scan))
    vectors = clustered(900, 32)
    index = vector_index(32, layout=layout)
    index.add(vectors=vectors, ids=list(range(900)))
    for query in clustered(10, 32, seed=1):
        expected = brute_force(vectors, query, 10)
        found = index.search(query)
        assert found == index.search(query, exact=True)
        if stored != "32x8":
            assert [hit.id for hit in found] == expected
        cosines = [float(vectors[hit.id].astype(float) @ query) for hit in found]
        assert [hit.score for hit in found] == pytest.approx(cosines, abs=0.01)
        assert len({hit.id for hit in found} & set(expected)) >= 9


def test_recall_of_the_funnel_at_the_default_layout(vector_index, clustered, brute_force):
    vectors = clustered(6000, 128)
    index = vector_index(128)
    index.add(vectors=vectors, ids=list(range(6000)))
    assert str(index.layout) == "stored 128x8, scan 128x2, refine 128x4"
    stats = index.stats()
    assert stats.expected_recall is not None and stats.expected_recall >= 0.99
    first, last = stats.shortlists
    assert 10 <= last < first < 1500
    found = 0
    for query in clustered(6050, 128)[6000:]:
        hits = {hit.id for hit in index.search(query)}
        found += len(hits & set(brute_force(vectors, query, 10)))
    assert found / 500 >= 0.97


def test_scores_do_not_depend_on_the_shortlist(vector_index, clustered):
    vectors = clustered(3000, 64)
    index = vector_index(64)
    index.add(vectors=vectors)
    exact = {hit.id: hit.score for hit in index.search(vectors[5], k=3000, exact=True)}
    for k in (1, 7, 300):
        for hit in index.search(vectors[5], k=k):
            assert hit.score == exact[hit.id]


def test_equal_scores_come_in_the_order_of_adding(vector_index):
    index = vector_index(32)
    row = np.ones((1, 32))
    for id_ in ("c", "a", "b"):
        index.add(vectors=row, ids=[id_])
    assert [hit.id for hit in index.search(row[0])] == ["c", "a", "b"]
    index.upsert(vectors=row, ids=["c"])
    assert [hit.id for hit in index.search(row[0], k=2)] == ["a", "b"]


@pytest.mark.parametrize("k", [0, -1, 1.0, True, "3"])
def test_k_must_be_a_positive_whole_number(vector_index, k):
    with pytest.raises(InputError, match="k must be"):
        vector_index(32).search(np.ones(32), k=k)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("words", "without an encoder"),
        (np.ones(5), "5 dimensions"),
        (np.full(32, np.nan), "query 0 .* not finite"),
        (np.zeros(32), "no direction"),
        (3.0, "a text, or a vector of 32 numbers, not float"),
        (None, "not NoneType"),
        (b"words", "not bytes"),
        (["words"], "not <U5 of shape"),
        (np.ones((1, 32)), r"not float64 of shape \(1, 32\)"),
        ([[1, 2], [3]], "numbers|length"),
    ],
)
def test_bad_queries(vector_index, query, message):
    with pytest.raises(InputError, match=message):
        vector_index(32).search(query)


def test_an_empty_index_and_a_large_k(vector_index):
    index = vector_index(32)
    assert index.search(np.ones(32)) == index.search(np.ones(32), exact=True) == []
    index.optimize()
    assert index.search(np.ones(32)) == []
    assert index.add(vectors=np.empty((0, 32))) == index.add([], vectors=[]) == []
    index.add(vectors=np.eye(32))
    assert len(index.search(np.ones(32), k=1000)) == 32
    index.delete(list(range(1, 33)))
    assert index.search(np.ones(32), k=5) == []
