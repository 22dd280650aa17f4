"""A disk that is really full, and one that is really write-protected."""

import shutil

import numpy as np
import pytest

from edge_mrl.cli.main import main
from edge_mrl.errors import IndexFileError
from edge_mrl.index import Index, reslice_index
from tests.faults.history import DIM, SIZE, acknowledged, check, new_index, writer


def test_a_full_disk(mounted):
    disk = mounted("memory", 16)
    ballast = disk.folder / "ballast"
    # The write-ahead log takes 4 MiB before it is folded into the file.
    ballast.write_bytes(bytes(5 * 2**20))
    path = disk.folder / "i.db"
    new_index(path)
    with writer(path) as process:
        out, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (3, "")
    assert "disk is full" in out.splitlines()[-1]
    stored = acknowledged(out.splitlines())
    with pytest.raises((IndexFileError, OSError), match=r"disk is full|No space"):
        reslice_index(path, disk.folder / "cut.db", DIM)
    assert not (disk.folder / "cut.db").exists()
    ballast.unlink()
    assert check(path) == stored > 0
    with writer(path, first=stored, batches=2) as process:
        out, _ = process.communicate(timeout=100)
    assert check(path) == acknowledged(out.splitlines()) == stored + 2


@pytest.fixture
def written(mounted):
    """A disk with an index of three batches that is closed."""
    disk = mounted("memory", 8)
    new_index(disk.folder / "i.db")
    with writer(disk.folder / "i.db", batches=3) as process:
        process.communicate(timeout=100)
    return disk


def test_a_write_protected_disk(written):
    path = written.folder / "i.db"
    with Index.open(path) as index:
        expected = index.search(np.ones(DIM))
    written.write_protect()
    with Index.open(path) as index:
        assert index.search(np.ones(DIM)) == expected
        assert index.search(np.ones(DIM), exact=True) == expected
        with pytest.raises(IndexFileError, match="make the file and its folder writable"):
            index.add(vectors=np.ones((1, DIM)))
        with pytest.raises(IndexFileError, match="writable"):
            index.optimize()
        with pytest.raises(IndexFileError, match="writable"), index.bulk_load():
            pass
    with pytest.raises(IndexFileError, match="cannot be created"):
        Index.create(
            written.folder / "n.db", dim=4, matryoshka_dims=[4], identity="i", model_name="m"
        )


@pytest.mark.parametrize("shared_memory", [True, False])
def test_a_log_that_was_left_behind_on_a_write_protected_disk(written, tmp_path, shared_memory):
    path = written.folder / "i.db"
    with writer(path, first=3) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        stored = acknowledged(["stored 3", *process.stdout.read().splitlines()])
    assert path.with_name("i.db-wal").stat().st_size
    if shared_memory:
        written.write_protect()
        with Index.open(path) as index:
            assert len(index) // SIZE in (stored, stored + 1)
            assert len(index.search(np.ones(DIM), k=10**6)) == len(index)
    else:
        path.with_name("i.db-shm").unlink()
        written.write_protect()
        with pytest.raises(IndexFileError, match="copy it together with i.db-wal"):
            Index.open(path)
    # What the message advises works.
    for name in ("i.db", "i.db-wal"):
        shutil.copy(written.folder / name, tmp_path / name)
    assert check(tmp_path / "i.db") in (stored, stored + 1)


def test_an_index_that_was_not_closed_is_one_file_after_it_was_opened(written):
    """What docs/raspberry-pi.md says to do before a card becomes read-only."""
    path = written.folder / "i.db"
    with writer(path, first=3) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.stdout.read()
    assert path.with_name("i.db-wal").stat().st_size
    assert main(["stats", str(path)]) == 0
    assert [file.name for file in written.folder.glob("i.db*")] == ["i.db"]
    with Index.open(path) as index:
        expected = index.search(np.ones(DIM))
    written.write_protect()
    with Index.open(path) as index:
        assert index.search(np.ones(DIM)) == expected
