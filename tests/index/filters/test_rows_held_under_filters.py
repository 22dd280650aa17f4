"""Stored rows held in memory: what was read for one filter is right for every other."""

import numpy as np
import pytest

from edge_mrl import Index, IndexLayout, Slice
from edge_mrl.index.searching.row_cache import cached_row_bytes

STORED = Slice(64, 8)
DOCUMENTS, QUERIES = 1200, 20


def keeps(modulus, rest):
    return {"must": [{"key": f"by{modulus}", "match": {"value": rest}}]}


FILTERS = [None, keeps(2, 1), keeps(100, 3), keeps(7, 5), keeps(2, 0), keeps(100, 4), None]


@pytest.fixture
def place(tmp_path, vectors):
    place = tmp_path / "i.db"
    layout = IndexLayout(STORED, Slice(64, 1))
    with Index.create(
        place, dim=64, matryoshka_dims=[16, 32, 64], identity="i", layout=layout
    ) as index:
        index.add(
            ["text"] * DOCUMENTS,
            vectors=vectors[:DOCUMENTS],
            metadata=[{f"by{m}": n % m for m in (2, 7, 100)} for n in range(DOCUMENTS)],
        )
    return place


@pytest.fixture
def vectors():
    drawn = np.random.default_rng(8).standard_normal((DOCUMENTS + QUERIES, 64))
    drawn *= (1 + np.arange(64)) ** -0.6
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


# All rows fit; those of the filters fit that keep a hundredth; few do; none is held.
@pytest.mark.parametrize("held_rows", [DOCUMENTS, 61, 3, 0])
def test_hits_are_those_of_an_index_that_holds_no_row(place, vectors, held_rows):
    memory = held_rows * cached_row_bytes(STORED)
    with Index.open(place, row_cache=memory) as held, Index.open(place, row_cache=0) as bare:
        for query in vectors[DOCUMENTS:]:
            for kept in FILTERS:
                hits = held.search(query, filter=kept)
                assert hits == bare.search(query, filter=kept)
                assert hits == held.query(query, filter=kept, explain=True).hits
                for condition in (kept or {}).get("must", []):
                    values = {hit.metadata[condition["key"]] for hit in hits}
                    assert values == {condition["match"]["value"]}
        read, without = held._searcher.rows_read, bare._searcher.rows_read
    if held_rows == DOCUMENTS:
        assert read < without / 2
    elif held_rows:
        # Twelve rows a filter, each with a place of its own among 61; where three are held, none.
        assert read < without if held_rows == 61 else read == without
    else:
        assert read == without


def test_rows_held_under_a_filter_follow_what_is_replaced_and_deleted(place, vectors):
    kept = keeps(100, 3)
    with Index.open(place) as index:
        query = vectors[103]
        assert index.search(query, 1, filter=kept)[0].id == 104
        # Document 4 takes the vector that the query asks for; 104 leaves.
        index.upsert(
            ["text"], ids=[4], vectors=vectors[103:104], metadata=[{"by2": 1, "by7": 3, "by100": 3}]
        )
        index.delete([104])
        first, second = index.search(query, 2, filter=kept)
        assert first.id == 4
        assert first.score > 0.999 > second.score
        # Out of the filter: its row is held still, and must not be found by it.
        index.upsert(["text"], ids=[4], vectors=vectors[103:104], metadata=[{"by100": 4}])
        assert 4 not in {hit.id for hit in index.search(query, 12, filter=kept)}
        assert index.search(query, 1, filter=keeps(100, 4))[0].id == 4
