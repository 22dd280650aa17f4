"""Index files that somebody made to hurt who opens them: sentences, no tracebacks, no memory."""

import sqlite3

import numpy as np
import pytest

from edge_mrl.errors import IndexFileError
from edge_mrl.index import Index

ROWS = 300


@pytest.fixture
def vectors():
    return np.random.default_rng(0).standard_normal((ROWS, 16)).astype(np.float32)


@pytest.fixture
def query(vectors):
    return vectors[0]


@pytest.fixture
def copy(tmp_path, vectors):
    """A closed index, to be changed."""
    path = tmp_path / "i.db"
    with Index.create(path, dim=16, matryoshka_dims=[16], identity="i", model_name="m") as index:
        index.add(vectors=vectors, ids=[f"doc{n}" for n in range(ROWS)])
        index.optimize()
    return path


def redefined(path, *statements):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    for statement in statements:
        connection.execute(statement)
    connection.close()


WORDS = (
    "INSERT INTO meta VALUES ('lexical', 'unicode61')",
    "CREATE VIRTUAL TABLE lexical USING fts5(text, content='documents', content_rowid='row')",
)

BOMBS = {
    "a generated column": (
        "DROP TABLE vectors",
        "CREATE TABLE vectors (row INTEGER PRIMARY KEY, record BLOB AS (zeroblob(900000000)))",
        "INSERT INTO vectors (row) SELECT row FROM documents",
    ),
    "a constraint": (
        "DROP TABLE deletions",
        "CREATE TABLE deletions (number INTEGER PRIMARY KEY AUTOINCREMENT, "
        "row INTEGER NOT NULL CHECK (length(zeroblob(900000000))))",
    ),
    "an index of an expression": (
        "CREATE INDEX more ON documents (length(hex(zeroblob(row * 400))))",
    ),
    "a virtual table": (
        "DROP TABLE deletions",
        "CREATE VIRTUAL TABLE deletions USING fts5(number, row)",
    ),
    "columns of no type": ("DROP TABLE vectors", "CREATE TABLE vectors (row, record)"),
    "a table that is not asked for yet": ("CREATE TABLE PAYLOAD_VALUES (key, kind, value, row)",),
    "a lexical index that is none": (WORDS[0], "CREATE TABLE lexical (text)"),
    "what FTS5 keeps": (
        *WORDS,
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE ''lexical_data''(id INTEGER PRIMARY KEY, "
        "block BLOB AS /* */ (zeroblob(900000000)))' WHERE name = 'lexical_data'",
    ),
}


@pytest.mark.parametrize("what", BOMBS)
def test_what_sqlite_would_compute_for_a_file_is_refused(copy, what):
    """Generated columns, constraints and indexes of expressions take gigabytes, from 20 kB."""
    redefined(copy, *BOMBS[what])
    with pytest.raises(IndexFileError, match="does not have the tables of an index .it has anoth"):
        Index.open(copy)


def test_other_words_of_the_same_meaning_and_other_tables_are_taken(copy, query):
    redefined(
        copy,
        "DROP TABLE deletions",
        'create table "deletions" ( "number" integer primary key\nautoincrement, '
        "row INTEGER not null)",
        "CREATE TABLE mine (a, b AS (a || a))",
        "CREATE INDEX mine_b ON mine (b)",
        "ANALYZE",
        *WORDS,
        "INSERT INTO lexical (lexical) VALUES ('rebuild')",
    )
    with Index.open(copy) as index:
        index.delete(["doc0"])
        index.add(["heron"], vectors=[query], ids=["h"])
        assert index.search(query, k=1)[0].id == "h"
        assert [hit.id for hit in index.query("heron", using="lexical").hits] == ["h"]


@pytest.mark.parametrize("last", ["'x'", "-5", "9223372036854775807", "1.5"])
def test_a_damaged_last_row_number_is_named(copy, query, last):
    redefined(copy, f"UPDATE sqlite_sequence SET seq = {last} WHERE name = 'documents'")
    with Index.open(copy) as index:
        with pytest.raises(IndexFileError, match="its last row number is damaged"):
            index.add(vectors=[query])
        with pytest.raises(IndexFileError, match="its last row number is damaged"):
            index.search(query)


def test_deletions_that_are_no_rows_are_passed_over(copy, query):
    redefined(copy, "INSERT INTO deletions (row) VALUES ('x'), (x'00'), (1e300), (-1)")
    for budget in (None, 0):
        with Index.open(copy, memory_budget=budget) as index:
            assert index.search(query, k=1)[0].id == "doc0"
            some = {"must": [{"has_id": ["doc0", "doc1"]}]}
            assert len(index.search(query, filter=some)) == 2
            redefined(copy, "INSERT INTO deletions (row) VALUES ('y')")
            assert len(index.search(query, filter=some)) == 2


def test_a_count_that_cannot_be_is_counted_again(copy):
    redefined(copy, "UPDATE meta SET value = '99999999999999999999' WHERE key = 'documents'")
    with Index.open(copy) as index:
        assert len(index) == ROWS


def test_broken_indexes_of_metadata_and_words_get_a_sentence(copy, query):
    some = {"must": [{"key": "a", "match": {"value": 1}}]}
    with Index.open(copy) as index:
        index.create_payload_index("a")
        redefined(copy, "INSERT INTO payload_values VALUES (1, 2, 1, 'x')")
        with pytest.raises(IndexFileError, match="damaged index of metadata"):
            index.search(query, filter=some)
        # What the message advises works.
        index.delete_payload_index("a")
        index.create_payload_index("a")
        assert index.search(query, filter=some) == []
    redefined(copy, *WORDS, "UPDATE meta SET value = 'other' WHERE key = 'lexical'")
    redefined(copy, """UPDATE meta SET value = '{"a": 9e99}' WHERE key = 'payload_keys'""")
    with Index.open(copy) as index:
        with pytest.raises(IndexFileError, match="the tokenizer of its lexical index is damaged"):
            index.query("heron", using="lexical")
        with pytest.raises(IndexFileError, match="list of indexed keys is damaged"):
            index.search(query, filter=some)
    redefined(copy, f"""UPDATE meta SET value = '{{"a": {10**30}}}' WHERE key = 'payload_keys'""")
    with Index.open(copy) as index, pytest.raises(IndexFileError, match="list of indexed keys"):
        index.search(query, filter=some)
