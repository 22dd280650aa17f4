"""Many queries at once, and shortlists too long to be held at once: the hits of plain searches."""

import tracemalloc

import numpy as np
import pytest

from edge_mrl.errors import InputError
from edge_mrl.index import Index, IndexLayout
from edge_mrl.slices import Slice

COUNT, DIM = 12_000, 256
ODD = {"must": [{"key": "odd", "match": {"value": True}}]}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Vectors without any structure, as hard for a shortlist as can be."""
    path = tmp_path_factory.mktemp("many") / "i.db"
    vectors = np.random.default_rng(5).standard_normal((COUNT, DIM)).astype(np.float32)
    layout = IndexLayout(Slice(DIM, 8), Slice(DIM, 1))
    with (
        Index.create(path, dim=DIM, matryoshka_dims=[DIM], identity="i", layout=layout) as index,
        index.bulk_load(),
    ):
        for start in range(0, COUNT, 4000):
            part = vectors[start : start + 4000]
            index.add(vectors=part, metadata=[{"odd": bool(n % 2)} for n in range(len(part))])
    return path


QUERIES = np.random.default_rng(6).standard_normal((9, DIM))


@pytest.mark.parametrize("filter_", [None, ODD])
@pytest.mark.parametrize("budget", [None, 0])
@pytest.mark.parametrize("threads", [1, 3])
def test_many_are_as_one_by_one(place, filter_, budget, threads):
    with Index.open(place, memory_budget=budget) as index:
        wanted = [index.search(query, 7, filter=filter_) for query in QUERIES]
        assert index.search_many(QUERIES, 7, threads=threads, filter=filter_) == wanted
        assert index.search_many(QUERIES[:0], threads=threads, filter=filter_) == []


@pytest.mark.parametrize("budget", [None, 0])
def test_threads_of_one_search_change_no_hit(place, budget, monkeypatch):
    monkeypatch.setattr("edge_mrl.kernel.native.LEAST_SHARED_ROWS", 1000)
    with Index.open(place, memory_budget=budget) as index:
        for query in QUERIES:
            assert index.search(query, 7, threads=3) == index.search(query, 7)
        with pytest.raises(InputError, match="threads must be"):
            index.search(QUERIES[0], threads=0)


def test_texts(word_encoder, tmp_path):
    with Index.open(tmp_path / "i.db", word_encoder()) as index:
        assert index.search_many(["a bird"]) == [[]]
        index.add(["a bird", "a file", "the moon"])
        asked = ["bird", "moon file"]
        assert index.search_many(asked, 2) == [index.search(text, 2) for text in asked]


@pytest.mark.parametrize(
    ("queries", "options", "message"),
    [
        ("a bird", {}, "a list of queries"),
        (["a bird"], {}, "without an encoder"),
        ([[1.0, 2.0]], {}, "2 dimensions do not fit"),
        (np.zeros((2, DIM)), {}, r"query 0 .* zeros"),
        (QUERIES, {"k": 0}, "k must be"),
        (QUERIES, {"threads": 0}, "threads must be"),
        (QUERIES, {"filter": {"must": 1}}, "filter.must must be"),
    ],
)
def test_what_cannot_be_asked_is_refused(place, queries, options, message):
    with Index.open(place) as index, pytest.raises(InputError, match=message):
        index.search_many(queries, **options)


@pytest.mark.parametrize("filter_", [None, ODD])
def test_a_long_shortlist_is_read_in_parts(place, filter_, monkeypatch):
    with Index.open(place) as index:
        exact = index.search(QUERIES[0], filter=filter_, exact=True)
        # As where no shortlist that is shorter has the best.
        monkeypatch.setattr("edge_mrl.index.searching.searcher.shortlists_for", lambda *_: [COUNT])
        index.search(QUERIES[1], filter=filter_)
        tracemalloc.start()
        try:
            found = index.search(QUERIES[0], filter=filter_)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert found == exact
    # All at once they take 65 MiB, or 33 with the filter.
    assert peak < 6 * 2**20, peak


def test_an_array_of_float32_is_asked_as_a_list_is(place):
    with Index.open(place) as index:
        for query in QUERIES.astype(np.float32):
            assert index.search(query) == index.search(query.tolist())
            assert index.search(query * 3e30) == index.search((query * 3e30).tolist())
        for wrong in (np.nan, np.inf):
            query[0] = wrong
            with pytest.raises(InputError, match="not finite"):
                index.search(query)
        with pytest.raises(InputError, match="no direction"):
            index.search(np.zeros(DIM, dtype=np.float32))
