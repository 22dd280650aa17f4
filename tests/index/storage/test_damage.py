"""Files that are damaged, foreign, too new, or on media that cannot be written."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from edge_mrl.errors import IndexFileError
from edge_mrl.index import Index
from edge_mrl.index.format.segments import MIN_ROWS

ROWS = MIN_ROWS + 200


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """An index with one segment and a tail, closed."""
    path = tmp_path_factory.mktemp("sound") / "i.db"
    vectors = np.random.default_rng(0).standard_normal((ROWS, 16)).astype(np.float32)
    with Index.create(path, dim=16, matryoshka_dims=[16], identity="i", model_name="m") as index:
        index.add(vectors=vectors[:MIN_ROWS], ids=[f"doc{n}" for n in range(MIN_ROWS)])
        index.add(vectors=vectors[MIN_ROWS:], ids=[f"doc{n}" for n in range(MIN_ROWS, ROWS)])
    return path


@pytest.fixture
def copy(sound, tmp_path):
    return shutil.copy(sound, tmp_path / "copy.db")


@pytest.fixture
def query():
    return np.random.default_rng(0).standard_normal((1, 16)).astype(np.float32)[0]


def change(path, statement, *values):
    connection = sqlite3.connect(path)
    with connection:
        changed = connection.execute(statement, values).rowcount
    connection.close()
    return changed


def read(path, statement):
    connection = sqlite3.connect(path)
    found = connection.execute(statement).fetchall()
    connection.close()
    return found


def flipped(value, place):
    changed = bytearray(value)
    changed[place] ^= 0x10
    return bytes(changed)


def test_a_flipped_byte_in_a_vector_names_the_document(copy, query):
    ((record,),) = read(copy, "SELECT record FROM vectors WHERE row = 1")
    change(copy, "UPDATE vectors SET record = ? WHERE row = 1", flipped(record, 9))
    with Index.open(copy) as index:
        with pytest.raises(IndexFileError, match="document 'doc0' is damaged"):
            index.search(query)
        with pytest.raises(IndexFileError, match="doc0"):
            index.search(query, exact=True)
        # What the message advises works.
        index.delete(["doc0"])
        index.add(vectors=[query], ids=["doc0"])
        assert index.search(query, k=1)[0].id == "doc0"


def test_what_was_deleted_stays_so_after_a_search_that_failed(copy, query):
    more = np.random.default_rng(1).standard_normal((MIN_ROWS, 16))
    with Index.open(copy) as reader, Index.open(copy) as writer:
        best = reader.search(query, k=1)[0].id
        writer.delete([best])
        writer.add(vectors=more, ids=[f"late{n}" for n in range(MIN_ROWS)])
        newest = "(SELECT max(number) FROM segments)"
        assert change(copy, f"UPDATE segments SET crc32 = 0 WHERE number = {newest}")
        change(copy, "UPDATE vectors SET record = x'00' WHERE row = (SELECT max(row) FROM vectors)")
        with pytest.raises(IndexFileError, match="document 'late4095' is damaged"):
            reader.search(query)
        writer.delete(["late4095"])
        assert best not in [hit.id for hit in reader.search(query, k=50)]


def test_a_missing_vector_or_document_is_reported(copy, query):
    change(copy, "DELETE FROM vectors WHERE row = 1")
    with Index.open(copy) as index, pytest.raises(IndexFileError, match="doc0"):
        index.search(query)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE segments SET codes = zeroblob(length(codes))",
        "UPDATE segments SET gains = x'00'",
        "UPDATE segments SET row_numbers = 'text'",
        "UPDATE segments SET crc32 = 'text'",
        "UPDATE segments SET slice = '16x1'",
        "UPDATE segments SET format = 99",
        "UPDATE segments SET last_row = last_row - 5",
        "UPDATE segments SET last_row = last_row + 1000000",
        "UPDATE segments SET first_row = 'a'",
        "UPDATE segments SET first_row = -4",
        "UPDATE segments SET first_row = 100",
        "DELETE FROM segments",
    ],
)
def test_a_damaged_segment_is_made_again_with_the_same_hits(copy, sound, query, statement):
    with Index.open(sound) as index:
        expected = index.search(query, k=50)
    change(copy, statement)
    with Index.open(copy) as index:
        assert index.search(query, k=50) == expected
        index.add(vectors=[query], ids=["new"])
        assert "new" in [hit.id for hit in index.search(query, k=2)]
        assert index.stats().documents == ROWS + 1
    with Index.open(copy) as index:
        index.delete(["new"])
        assert index.search(query, k=50) == expected


def test_a_repaired_segment_is_kept_in_the_file(copy, sound, query):
    change(copy, "UPDATE segments SET codes = zeroblob(length(codes))")
    with Index.open(copy) as index:
        index.search(query)
    columns = "first_row, last_row, row_numbers, gains, codes, crc32"
    statement = f"SELECT {columns} FROM segments"
    assert read(copy, statement) == read(sound, statement)


@pytest.mark.parametrize("size", [10, 100, 4096, 50_000])
def test_a_truncated_file(copy, query, size):
    os.truncate(copy, size)
    with (
        pytest.raises(IndexFileError, match=r"damaged|not an index file"),
        Index.open(copy) as index,
    ):
        index.search(query, exact=True)


def test_flipped_bytes_anywhere_never_give_anything_but_our_errors(copy, sound, query, tmp_path):
    content = bytearray(sound.read_bytes())
    with Index.open(sound) as index:
        expected = index.search(query)
    generator = np.random.default_rng(5)
    refused = 0
    for number in range(60):
        # Half of them in the first pages, where the structure is.
        reach = 3 * 4096 if number % 2 else len(content)
        broken = bytearray(content)
        for place in generator.integers(16, reach, 8):
            broken[place] ^= int(generator.integers(1, 256))
        path = tmp_path / f"broken{number}.db"
        path.write_bytes(broken)
        try:
            with Index.open(path) as index:
                index.search(query)
                found = index.search(query, exact=True)
                assert {hit.score for hit in found} <= {hit.score for hit in expected}
        except IndexFileError:
            refused += 1
    assert refused > 10


def test_files_that_are_not_an_index(tmp_path):
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at " * 100)
    with pytest.raises(IndexFileError, match="not an index file"):
        Index.open(tmp_path / "text.db")
    change(tmp_path / "other.db", "CREATE TABLE things (a)")
    before = (tmp_path / "other.db").read_bytes()
    with pytest.raises(IndexFileError, match="not an edge_mrl index"):
        Index.open(tmp_path / "other.db")
    assert (tmp_path / "other.db").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.db", "text.db"]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("PRAGMA user_version = 7", "schema 7.*newer edge_mrl"),
        ("PRAGMA user_version = -1", "schema -1"),
        ("DROP TABLE vectors", "tables of an index"),
        ("CREATE VIEW v AS SELECT 1", "tables of an index"),
        (
            "CREATE TRIGGER t AFTER INSERT ON documents BEGIN DELETE FROM documents; END",
            "tables of an index",
        ),
        ("DELETE FROM meta WHERE key = 'index'", "which model"),
        ("UPDATE meta SET value = '{' WHERE key = 'index'", "description"),
        ("UPDATE meta SET value = '[1]' WHERE key = 'index'", "description"),
        (
            "UPDATE meta SET value = replace(value, '16x8', '16x3') WHERE key = 'index'",
            "description.*3 bits",
        ),
        (
            "UPDATE meta SET value = replace(value, '16x8', '99999x8') WHERE key = 'index'",
            "description",
        ),
    ],
)
def test_headers_and_facts_that_are_refused(copy, statement, message):
    change(copy, statement)
    with pytest.raises(IndexFileError, match=message):
        Index.open(copy)


@pytest.mark.parametrize(
    ("key", "value"), [("epoch", "x"), ("epoch", "9" * 50), ("shortlist", "{}")]
)
def test_damaged_counters_are_refused(copy, query, key, value):
    change(copy, "INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)
    with Index.open(copy) as index, pytest.raises(IndexFileError, match=f"{key}|shortlist"):
        index.search(query)


def test_the_count_is_made_again_where_it_is_lost(copy):
    change(copy, "DELETE FROM meta WHERE key = 'documents'")
    with Index.open(copy) as index:
        assert len(index) == ROWS
        index.delete(["doc1", "doc2"])
        assert read(copy, "SELECT value FROM meta WHERE key = 'documents'") == [(str(ROWS - 2),)]
        # A number that is wrong is put right when the index is optimised.
        change(copy, "UPDATE meta SET value = '5' WHERE key = 'documents'")
        index.optimize()
        assert len(index) == ROWS - 2


@pytest.mark.parametrize("value", ["{", "[]", b"\xff", "[" * 100_000])
def test_damaged_metadata_names_the_document(copy, query, value):
    change(copy, "UPDATE documents SET metadata = ? WHERE row = 1", value)
    with Index.open(copy) as index, pytest.raises(IndexFileError, match="doc0"):
        index.search(query)


READ_ONLY = """
import os, sys, numpy as np
from edge_mrl.errors import IndexFileError
from edge_mrl.index import Index, opening
# Root may write everywhere; nobody may not, nor read the modules of root's own Python.
os.setuid(65534)
with Index.open(sys.argv[1]) as index:
    print(len(index), index.search(np.ones(16), k=1)[0].id)
    try:
        index.add(vectors=np.ones((1, 16)))
    except IndexFileError as error:
        print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give permissions up")
@pytest.mark.parametrize("broken", [False, True])
def test_media_that_cannot_be_written(sound, broken):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copied = shutil.copy(sound, folder / "i.db")
        if broken:
            change(copied, "UPDATE segments SET codes = zeroblob(length(codes))")
        copied.chmod(0o444)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, copied],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        left = [path.name for path in folder.iterdir()]
    with Index.open(sound) as index:
        best = index.search(np.ones(16), k=1)[0].id
    assert done.stdout.splitlines()[0] == f"{ROWS} {best}", done.stderr
    assert "cannot be written" in done.stdout
    assert left == ["i.db"]
