"""Sparse vectors against dot products written out in plain Python."""

import sqlite3

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from edge_mrl.errors import IndexFileError, InputError
from edge_mrl.index import Index
from edge_mrl.index.companions import sparse
from edge_mrl.retrieval import SparseVector

NUMBERS = st.integers(-8, 8).map(lambda n: n / 4)
VECTORS = st.dictionaries(st.integers(0, 12), NUMBERS, max_size=6)


def made(found):
    return SparseVector(list(found), list(found.values()))


def dot(one, other):
    return sum(value * other[index] for index, value in one.items() if index in other)


def expected(vectors, query, alive):
    hits = [(n, dot(vectors[n], query)) for n in alive if vectors[n].keys() & query.keys()]
    return sorted(hits, key=lambda pair: (-pair[1], pair[0]))


def found(index, query, **options):
    hits = index.query(made(query), limit=1000, **options).hits
    return [(hit.id, hit.score) for hit in hits]


@given(
    vectors=st.lists(VECTORS, min_size=1, max_size=40),
    queries=st.lists(VECTORS.filter(bool), min_size=1, max_size=3),
    gone=st.sets(st.integers(0, 39), max_size=5),
    packed=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_products_are_those_of_plain_python(tmp_path_factory, vectors, queries, gone, packed):
    path = tmp_path_factory.mktemp("sparse") / "i.db"
    with (
        pytest.MonkeyPatch.context() as patch,
        Index.create(path, dim=4, matryoshka_dims=[4], identity="i", model_name="m") as index,
    ):
        patch.setattr(sparse, "LEAST", 7 if packed else 4096)
        for start in range(0, len(vectors), 5):
            part = vectors[start : start + 5]
            index.add(
                vectors=np.ones((len(part), 4)),
                ids=list(range(start, start + len(part))),
                metadata=[{"n": start + n} for n in range(len(part))],
                sparse=[made(vector) for vector in part],
            )
        everything = {n: v for n, v in enumerate(vectors) if v}
        alive = [n for n in everything if n not in gone]
        index.delete(sorted(gone))
        if not any(vectors):
            return
        for query in queries:
            assert found(index, query) == expected(everything, query, alive)
        odd = {"must": [{"key": "n", "match": {"any": list(range(1, 40, 2))}}]}
        kept = [n for n in alive if n % 2]
        assert found(index, queries[0], filter=odd) == expected(everything, queries[0], kept)
        index.optimize()
        assert found(index, queries[0]) == expected(everything, queries[0], alive)


def test_vectors_go_with_their_documents(vector_index, tmp_path):
    index = vector_index(32)
    index.add(vectors=np.ones((2, 32)))
    with pytest.raises(InputError, match="has no sparse vectors: give them to add"):
        found(index, {1: 1.0})
    index.add(vectors=np.ones((2, 32)), sparse=[made({5: 2.0}), None])
    assert found(index, {5: 1.5, 6: 1.0}) == [(3, 3.0)]
    index.upsert(vectors=np.ones((1, 32)), ids=[3], sparse=[made({6: 1.0})])
    assert found(index, {5: 1.5, 6: 1.0}) == [(3, 1.0)]
    with Index.open(tmp_path / "v.db") as reader:
        assert found(reader, {6: 1.0}) == [(3, 1.0)]
        index.delete([3])
        assert found(reader, {6: 1.0}) == []


@pytest.mark.parametrize(
    ("indices", "values", "message"),
    [
        ([1, 1], [1, 2], "index 1 twice"),
        ([-1], [1], "index -1"),
        ([2**32], [1], "index 4294967296"),
        ([1, 2], [1], "there are 2 and 1"),
        ([1.5], [1], "whole numbers"),
        (["a"], [1], "whole numbers"),
        ([1], ["a"], "whole numbers"),
        ([1], [float("nan")], "not finite"),
        ([1], [1e300], "not finite"),
        ([[1], [1, 2]], [1, 2], "two lists"),
        ([True], [1.0], "whole numbers"),
    ],
)
def test_what_a_sparse_vector_cannot_be(indices, values, message):
    with pytest.raises(InputError, match=message):
        SparseVector(indices, values)


def test_what_add_refuses(vector_index):
    index = vector_index(32)
    for wrong, message in (
        ([made({1: 1.0})], "1 sparse for 2 documents"),
        ([{1: 1.0}, None], "document 0 must be a SparseVector or None, not dict"),
    ):
        with pytest.raises(InputError, match=message):
            index.add(vectors=np.ones((2, 32)), sparse=wrong)
    assert len(index) == 0


@pytest.mark.parametrize("table", ["sparse_vectors", "sparse_lists"])
def test_damage_is_noticed(vector_index, tmp_path, table):
    index = vector_index(32)
    index.add(vectors=np.ones((3, 32)), sparse=[made({1: 1.0})] * 3)
    if table == "sparse_lists":
        index.optimize()
    index.close()
    column = "record" if table == "sparse_vectors" else "numbers"
    with sqlite3.connect(tmp_path / "v.db") as raw:
        changed = raw.execute(f"UPDATE {table} SET {column} = zeroblob(length({column}))").rowcount
        assert changed
    raw.close()
    with Index.open(tmp_path / "v.db") as index:
        with pytest.raises(IndexFileError, match="damaged"):
            found(index, {1: 1.0})
        assert len(index.search(np.ones(32))) == 3
        if table == "sparse_lists":
            index.optimize()
            assert len(found(index, {1: 1.0})) == 3
