"""Durability and sharing between real processes."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest

from edge_mrl.errors import IndexFileError
from edge_mrl.index import Index

WRITER = """
import sys, numpy as np
from edge_mrl.index import Index
path, batches, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
generator = np.random.default_rng(1)
with Index.open(path) as index:
    for batch in range(batches):
        ids = list(range(batch * size, (batch + 1) * size))
        index.add(vectors=generator.standard_normal((size, 16)), ids=ids)
        print(batch, flush=True)
"""


def writer(path, batches, size):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(batches), str(size)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "i.db"
    Index.create(file, dim=16, matryoshka_dims=[16], identity="i", model_name="m").close()
    return file


@pytest.mark.parametrize("after", [0, 3, 9])
def test_every_acknowledged_batch_survives_sigkill(path, after):
    size = 700
    with writer(path, 10_000, size) as process:
        assert process.stdout is not None
        acknowledged = -1
        while acknowledged < after:
            acknowledged = int(process.stdout.readline())
        time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
    acknowledged = int(rest[-1]) if rest else acknowledged
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    vectors = np.random.default_rng(1)
    with Index.open(path) as index:
        count = len(index)
        assert count % size == 0
        assert count >= (acknowledged + 1) * size
        for batch in range(acknowledged + 1):
            rows = vectors.standard_normal((size, 16))
            assert index.search(rows[0], k=1)[0].id == batch * size
        assert len(index.search(np.ones(16), k=10**6)) == count
        index.add(vectors=np.ones((1, 16)), ids=["after"])


def test_a_reader_sees_what_another_process_adds_and_deletes(path):
    with Index.open(path) as reader:
        assert reader.search(np.ones(16)) == []
        seen = set()
        with writer(path, 12, 600) as process:
            while process.poll() is None:
                seen.add(len(reader.search(np.ones(16), k=10**5)))
        assert process.returncode == 0
        assert {count % 600 for count in seen} == {0}
        expected = np.random.default_rng(1).standard_normal((7200, 16))
        assert reader.search(expected[5], k=1)[0].id == 5
        assert len(reader.search(np.ones(16), k=10**5)) == 7200
        with Index.open(path) as other:
            other.delete(list(range(7000)))
            assert len(reader.search(np.ones(16), k=10**5)) == 200
            assert reader.stats().documents == 200
            other.optimize()
            assert len(reader.search(np.ones(16), k=10**5)) == 200
            other.delete(list(range(7000, 7200)))
            other.optimize()
            assert reader.search(np.ones(16)) == []
            other.add(vectors=expected[:3], ids=["a", "b", "c"])
            assert reader.search(expected[1], k=1)[0].id == "b"


def test_a_second_writer_waits_and_then_gets_a_sentence(path, monkeypatch):
    monkeypatch.setattr("edge_mrl.index.storage.database.BUSY_SECONDS", 0.3)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with Index.open(path) as index:
        start = time.monotonic()
        with pytest.raises(IndexFileError, match="being written by another process"):
            index.add(vectors=np.ones((1, 16)))
        assert time.monotonic() - start >= 0.25
        assert index.search(np.ones(16)) == []
        holder.execute("ROLLBACK")
        assert index.add(vectors=np.ones((1, 16))) == [1]
    holder.close()


def test_a_full_disk_stores_nothing_of_the_batch(path):
    with Index.open(path) as index:
        index.add(vectors=np.ones((5, 16)))
        # SQLite's own limit gives the error of a full disk.
        index._store.connection.execute("PRAGMA max_page_count = 40")
        with pytest.raises(IndexFileError, match="disk is full"):
            index.add(vectors=np.ones((5000, 16)))
        assert len(index) == 5
        assert len(index.search(np.ones(16))) == 5


def test_two_processes_may_create_the_same_index(tmp_path, word_encoder):
    with (
        Index.open(tmp_path / "i.db", word_encoder()) as one,
        Index.open(tmp_path / "i.db", word_encoder()) as two,
    ):
        one.add(["a"])
        two.add(["b"])
        assert len(one) == len(two) == 2


def test_a_forked_child_does_not_use_its_parents_index(path):
    """SQLite's locks do not follow a fork: the child's documents were acknowledged and lost."""
    with Index.open(path) as index:
        index.add(vectors=np.ones((1, 16)))
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            for use in (
                lambda: index.add(vectors=np.ones((1, 16))),
                lambda: index.search([1] * 16),
            ):
                try:
                    os.write(writing, f"{use()}\n".encode())
                except IndexFileError as error:
                    os.write(writing, f"{error}\n".encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as said:
            lines = said.readlines()
        os.waitpid(child, 0)
        assert len(lines) == 2
        assert all("open it in each process" in line for line in lines)
        assert index.add(vectors=np.ones((1, 16))) == [2]


def _moved(path):
    path.rename(path.with_name("moved.db"))


def _deleted(path):
    path.unlink()


def _replaced(path):
    other = path.with_name("other.db")
    Index.create(other, dim=16, matryoshka_dims=[16], identity="i", model_name="m").close()
    other.replace(path)


@pytest.mark.parametrize("change", [_moved, _deleted, _replaced])
def test_nothing_is_acknowledged_once_another_file_stands_at_the_path(path, change):
    """It would go to a log with the old name, which nobody reads."""
    with Index.open(path) as index:
        index.add(["kept"], vectors=np.ones((1, 16)))
        change(path)
        for write in (
            lambda: index.add(vectors=np.ones((1, 16))),
            lambda: index.delete([1]),
            index.optimize,
        ):
            with pytest.raises(IndexFileError, match="moved, deleted or replaced.*open it again"):
                write()
        # Readers keep what they had.
        assert [hit.text for hit in index.search(np.ones(16))] == ["kept"]


def test_the_working_folder_may_change(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with Index.open("i.db") as index:
        index.remember_bundle(tmp_path / "elsewhere")
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert index.add(vectors=np.ones((1, 16))) == [1]
        assert index.stats().file_bytes >= path.stat().st_size
        index.remember_bundle(tmp_path / "elsewhere")
        assert index.bundle == tmp_path / "elsewhere"
    with Index.open(path) as index:
        assert index.bundle == tmp_path / "elsewhere"


def test_a_try_to_write_leaves_the_patience_of_readers(path):
    """A reader that repairs a segment gives up at once where another writes; later it waits again,
    as it must while another process recovers the file."""
    with Index.open(path) as index:
        (patience,) = index._store.connection.execute("PRAGMA busy_timeout").fetchone()
        with index._store.write(wait=False):
            pass
        assert index._store.connection.execute("PRAGMA busy_timeout").fetchone() == (patience,)
        assert patience == 5000


def test_rows_that_another_process_packed_are_held_once(path, monkeypatch):
    """What a reader held after the last segment stands in one now."""
    monkeypatch.setattr("edge_mrl.index.format.segments.MIN_ROWS", 10)
    vectors = np.random.default_rng(2).standard_normal((20, 16))
    with Index.open(path) as reader, Index.open(path) as writer:
        writer.add(vectors=vectors[:5])
        assert len(reader.search(vectors[0], k=100)) == 5
        writer.add(vectors=vectors[5:12])
        found = [hit.id for hit in reader.search(vectors[0], k=100)]
        assert sorted(found) == list(range(1, 13))
        with reader._store.read():
            assert reader._searcher.codes().alive == 12
