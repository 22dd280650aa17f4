"""A file of an older schema is read as it is and becomes a newer one when it has to hold more."""

import sqlite3

import numpy as np
import pytest

from edge_mrl.errors import InputError
from edge_mrl.index import Index
from edge_mrl.retrieval import MultiVector, SparseVector


@pytest.fixture
def old_file(vector_index, tmp_path):
    index = vector_index(32)
    index.add(["a heron", "gzip"], vectors=np.eye(2, 32), metadata=[{"n": 1}, {"n": 2}])
    index.close()
    with sqlite3.connect(tmp_path / "v.db") as raw:
        for table in ("payload_values", "sparse_vectors", "sparse_lists", "token_vectors"):
            raw.execute(f"DROP TABLE {table}")
        raw.execute("PRAGMA user_version = 1")
    raw.close()
    return tmp_path / "v.db"


def version(path):
    with sqlite3.connect(path) as raw:
        (found,) = raw.execute("PRAGMA user_version").fetchone()
    raw.close()
    return found


def test_what_needs_no_new_table_leaves_it_as_it_is(old_file):
    with Index.open(old_file) as index:
        index.add(vectors=np.ones((1, 32)))
        index.delete([3])
        two = {"must": [{"key": "n", "match": {"value": 2}}]}
        assert [hit.id for hit in index.search(np.ones(32), filter=two)] == [2]
        index.optimize()
    assert version(old_file) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index.create_payload_index("n"),
        lambda index: index.create_lexical_index(),
        lambda index: index.add(vectors=np.ones((1, 32)), sparse=[SparseVector([1], [1.0])]),
    ],
)
def test_what_needs_one_makes_those_of_its_schema(old_file, change):
    with Index.open(old_file) as index:
        change(index)
    assert version(old_file) == 2
    with Index.open(old_file) as index:
        index.create_payload_index("n")
        index.create_lexical_index()
        assert [hit.id for hit in index.query("heron", using="lexical").hits] == [1]


def test_token_vectors_make_schema_3_of_1_and_2(old_file):
    with Index.open(old_file) as index:
        with pytest.raises(InputError, match="create_token_index"):
            index.add(vectors=np.ones((1, 32)), token_vectors=[np.eye(2, 8)])
        assert version(old_file) == 1
        index.create_lexical_index()
        assert version(old_file) == 2
        index.create_token_index(8)
        index.add(vectors=np.ones((1, 32)), token_vectors=[np.eye(2, 8)])
    assert version(old_file) == 3
    with Index.open(old_file) as index:
        assert [hit.id for hit in index.query(MultiVector(np.eye(1, 8))).hits] == [3]
        assert [hit.id for hit in index.query("heron", using="lexical").hits] == [1]
