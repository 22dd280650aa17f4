"""A file of an older schema is read as it is and becomes a newer one when it has to hold more, or
when it is optimized."""

import sqlite3

import numpy as np
import pytest

from edge_mrl.errors import IndexFileError, InputError
from edge_mrl.index import Index, IndexLayout
from edge_mrl.index.format import segments
from edge_mrl.index.storage.schema_sql import SCHEMA_VERSION
from edge_mrl.retrieval import MultiVector, SparseVector
from edge_mrl.slices import Slice
from tests.index.older import make_older

OLD = (1, 2, 3, 4)


@pytest.fixture
def old_file(vector_index, tmp_path):
    index = vector_index(32)
    index.add(["a heron", "gzip"], vectors=np.eye(2, 32), metadata=[{"n": 1}, {"n": 2}])
    index.close()
    make_older(tmp_path / "v.db", 1)
    return tmp_path / "v.db"


def version(path):
    with sqlite3.connect(path) as raw:
        (found,) = raw.execute("PRAGMA user_version").fetchone()
    raw.close()
    return found


def rows_of(path, statement):
    with sqlite3.connect(path) as raw:
        found = raw.execute(statement).fetchall()
    raw.close()
    return found


def test_what_needs_no_new_table_leaves_it_as_it_is(old_file):
    with Index.open(old_file) as index:
        index.add(vectors=np.ones((1, 32)))
        index.delete([3])
        two = {"must": [{"key": "n", "match": {"value": 2}}]}
        assert [hit.id for hit in index.search(np.ones(32), filter=two)] == [2]
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


@pytest.fixture
def both(vector_index, clustered, monkeypatch, tmp_path):
    """Makes a file of the newest schema and the same of an older one: segments and a tail, ids that
    are the row number and others."""
    monkeypatch.setattr(segments, "MIN_ROWS", 100)

    def make(schema):
        layout = IndexLayout(Slice(32, 8), Slice(32, 1), Slice(32, 2))
        for name in ("v.db", "old.db"):
            index = vector_index(32, name, layout=layout)
            vectors = clustered(330, 32)
            index.add(vectors=vectors[:120])
            ids = [f"t{n}" if n % 2 else 1000 + n for n in range(120)]
            metadata = [{"n": n} for n in range(120)]
            texts = [f"text {n}" for n in ids]
            index.add(texts, vectors=vectors[120:240], ids=ids, metadata=metadata)
            index.add(vectors=vectors[240:])
            index.close()
        make_older(tmp_path / "old.db", schema)
        with Index.open(tmp_path / "v.db") as new, Index.open(tmp_path / "old.db") as old:
            for index in (new, old):
                index.delete([3, "t5", 1120])
                index.upsert(["again"], vectors=vectors[7:8], ids=[8])
        return tmp_path / "v.db", tmp_path / "old.db"

    return make


def answers(path, queries, **options):
    with Index.open(path, **options) as index:
        found = [
            index.search(query, k=k, exact=exact, filter=filter_)
            for query in queries
            for k, exact in ((10, False), (400, False), (400, True))
            for filter_ in (None, {"must_not": [{"has_id": [1, "2", "t7", 1010, 8]}]})
        ]
        ids = [1, 2, 8, 3, "1", "t7", "t5", 1010, 1119, 1120, 1121, -1, 2**63 - 1]
        return found, index.get(ids), len(index)


@pytest.mark.parametrize("schema", OLD)
def test_older_files_answer_as_new_ones_do(both, clustered, schema):
    new, old = both(schema)
    queries = clustered(5, 32, seed=1)
    expected = answers(new, queries)
    assert answers(old, queries) == expected
    assert answers(old, queries, memory_budget=3000) == expected
    assert answers(new, queries, memory_budget=3000) == expected
    assert version(old) == schema
    assert {f for (f,) in rows_of(old, "SELECT format FROM segments WHERE slice = '32x2'")} == {
        3 if schema < 4 else 4
    }
    assert {f for (f,) in rows_of(new, "SELECT format FROM segments WHERE slice = '32x2'")} == {4}
    record = 40 if schema < 4 else 36
    assert {n for (n,) in rows_of(old, "SELECT length(record) FROM vectors")} == {record}
    assert {n for (n,) in rows_of(new, "SELECT length(record) FROM vectors")} == {36}


@pytest.mark.parametrize("schema", OLD)
def test_optimize_makes_an_older_file_one_of_the_newest(both, clustered, schema):
    new, old = both(schema)
    queries = clustered(5, 32, seed=1)
    expected = answers(new, queries)
    with Index.open(old) as index, Index.open(old) as reader:
        if schema > 1:
            index.create_lexical_index()
            index.create_payload_index("n")
        index.optimize()
        # Whoever had it open goes on, writing too.
        assert reader.get([1, "t7"]) == index.get([1, "t7"])
        reader.add(vectors=queries[:1], ids=["late"])
        assert index.delete(["late"]) == 1
        assert index.add(vectors=queries[:1]) == [1209]
        index.delete([1209])
        if schema > 1:
            index.add(["heron"], vectors=queries[:1], ids=["h"], metadata=[{"n": 500}])
            assert [hit.id for hit in index.query("heron", using="lexical").hits] == ["h"]
            assert index.delete(["h"]) == 1
            assert not index.query("heron", using="lexical").hits
    with Index.open(new) as index:
        index.optimize()
    assert version(old) == SCHEMA_VERSION
    assert answers(old, queries) == answers(new, queries) == expected
    assert {n for (n,) in rows_of(old, "SELECT length(record) FROM vectors")} == {36}
    for path in (old, new):
        assert rows_of(path, "SELECT count(*) FROM documents WHERE id = row") == [(0,)]
        assert rows_of(path, "SELECT count(*) FROM documents WHERE metadata = '{}'") == [(0,)]
    columns = "SELECT row, id, text, metadata FROM documents"
    assert rows_of(old, columns) == rows_of(new, columns)
    # The sequence goes on where it was, though the last rows are deleted.
    (last,) = rows_of(old, "SELECT seq FROM sqlite_sequence WHERE name = 'documents'")[0]
    assert last >= 331


def test_a_segment_number_is_not_used_again(both):
    """A program that had the file open may hold a segment to write in the place of its number."""
    _, old = both(4)
    (newest,) = rows_of(old, "SELECT max(number) FROM segments")[0]
    with Index.open(old) as index:
        index.optimize()
    assert rows_of(old, "SELECT min(number) FROM segments")[0] > (newest,)


def test_a_damaged_vector_stays_one_and_keeps_the_schema(both):
    _, old = both(3)
    with sqlite3.connect(old) as raw:
        raw.execute("UPDATE vectors SET record = zeroblob(40) WHERE row = 9")
    raw.close()
    with Index.open(old) as index:
        with pytest.raises(IndexFileError, match="document 9 is damaged"):
            index.optimize()
        assert version(old) == 3
        index.delete([9])
        index.optimize()
    assert version(old) == SCHEMA_VERSION


def test_an_id_that_is_not_written_down_is_taken_all_the_same(vector_index):
    index = vector_index(32)
    index.add(["one", "two"], vectors=np.eye(2, 32))
    assert rows_of(index._store.path, "SELECT id FROM documents") == [(None,), (None,)]
    with pytest.raises(InputError, match="the id 2 is in the index already"):
        index.add(vectors=np.ones((1, 32)), ids=[2])
    index.add(vectors=np.ones((2, 32)), ids=["2", 4])
    assert rows_of(index._store.path, "SELECT id FROM documents WHERE row > 2") == [("2",), (None,)]
    assert index.upsert(["new"], vectors=np.ones((1, 32)), ids=[2]) == [2]
    assert [(d.id, d.text) for d in index.get([2, "2", 1])] == [(2, "new"), ("2", ""), (1, "one")]
    assert index.delete([2, "1", 5]) == 1
    assert index.delete([2]) == 0
    # Row 5 held id 2; the number 5 was never an id.
    assert index.add(vectors=np.ones((2, 32))) == [5, 6]
    some = {"must": [{"has_id": [1, "4", 6]}]}
    assert {hit.id for hit in index.search(np.ones(32), filter=some)} == {1, 6}
    others = {"must_not": [{"has_id": [1, "4", 6]}]}
    assert {hit.id for hit in index.search(np.ones(32), filter=others)} == {"2", 4, 5}
    with pytest.raises(sqlite3.IntegrityError):
        index._store.connection.execute("INSERT INTO documents VALUES (99, '2', '', NULL)")
