"""Segments read one after another, the one before checked meanwhile."""

import shutil
import sqlite3

import numpy as np
import pytest

from edge_mrl.errors import IndexFileError
from edge_mrl.index import Index, IndexLayout
from edge_mrl.index.format import segments
from edge_mrl.index.storage import segment_reading
from edge_mrl.index.storage.segment_reading import load, load_all
from edge_mrl.index.storage.segment_store import SegmentHead, heads
from edge_mrl.index.storage.store import Store
from edge_mrl.slices import Slice

LAYOUTS = [
    IndexLayout(Slice(16, 8), Slice(16, 1), Slice(16, 2)),
    IndexLayout(Slice(16, 8), Slice(8, 1), Slice(16, 4)),
    IndexLayout(Slice(16, 8), Slice(16, 8)),
]
ROWS = 500


@pytest.fixture(scope="module", params=LAYOUTS, ids=str)
def sound(request, tmp_path_factory):
    """An index with five segments, closed, and its layout."""
    path = tmp_path_factory.mktemp("segments") / "i.db"
    vectors = np.random.default_rng(0).standard_normal((ROWS, 16)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "MIN_ROWS", 100)
        with Index.create(
            path, dim=16, matryoshka_dims=[8, 16], identity="i", layout=request.param
        ) as index:
            for start in range(0, ROWS, 100):
                index.add(vectors=vectors[start : start + 100])
    return path, request.param


@pytest.fixture
def copy(sound, tmp_path):
    path, layout = sound
    return shutil.copy(path, tmp_path / "copy.db"), layout


def change(path, statement):
    with sqlite3.connect(path) as raw:
        changed = raw.execute(statement).rowcount
    raw.close()
    return changed


def same(one, other):
    return (
        one[:2] == other[:2]
        and (one.block.codes == other.block.codes).all()
        and (one.block.gains == other.block.gains).all()
        and (one.refined is None) == (other.refined is None)
        and (one.refined is None or (one.refined.codes == other.refined.codes).all())
    )


def read(path, layout):
    store = Store(path)
    with store.read():
        listed = heads(store, layout)
        found = list(load_all(store, listed, layout))
        alone = [load(store, head, layout).segment for head in listed]
    store.close()
    return listed, found, alone


def test_all_are_what_each_is_alone(sound):
    listed, found, alone = read(*sound)
    assert len(listed) == len(found) == 5
    assert all(map(same, found, alone))
    begun = [segment.block.codes.ctypes.data for segment in found]
    assert begun == sorted(begun)
    # One stretch of memory, no segment in it twice.
    assert begun[-1] - begun[0] < 5 * (ROWS + 64) * sum(p.code_bytes for p in sound[1].resident)


@pytest.mark.parametrize("damaged", range(1, 6))
def test_a_damaged_one_leaves_the_others(copy, damaged):
    path, layout = copy
    place = f"first_row = {damaged * 100 - 99} AND slice = '{layout.resident[-1]}'"
    assert change(path, f"UPDATE segments SET codes = zeroblob(length(codes)) WHERE {place}") == 1
    _, found, alone = read(path, layout)
    assert [segment is None for segment in found] == [n == damaged for n in range(1, 6)]
    assert [segment is None for segment in alone] == [n == damaged for n in range(1, 6)]
    assert all(same(a, b) for a, b in zip(found, alone, strict=True) if a is not None)


def test_bytes_read_are_those_of_the_columns(sound):
    path, layout = sound
    with sqlite3.connect(path) as raw:
        (stored,) = raw.execute(
            "SELECT SUM(LENGTH(row_numbers) + LENGTH(gains) + LENGTH(codes)) FROM segments"
        ).fetchone()
    raw.close()
    store = Store(path)
    with store.read():
        loaded = [load(store, head, layout) for head in heads(store, layout)]
        assert load(store, SegmentHead(None, 1, ROWS), layout) == (None, 0)
    store.close()
    assert sum(one.bytes_read for one in loaded) == stored


def test_missing_and_none_at_all(sound):
    path, layout = sound
    store = Store(path)
    with store.read():
        assert not list(load_all(store, [], layout))
        missing = SegmentHead(None, 1, ROWS)
        assert list(load_all(store, [missing, missing], layout)) == [None, None]
    store.close()


def test_room_is_bounded_by_the_file(copy, monkeypatch):
    """Many short segments that say they are long take no memory before they are read."""
    path, layout = copy
    asked = []
    monkeypatch.setattr(
        segment_reading.segment_bytes, "room_bytes", lambda *_: asked.append(1) or 2**40
    )
    store = Store(path)
    with store.read():
        needed = segment_reading._needed(store, heads(store, layout), layout)
        assert needed == 2 * store.used_bytes()
    store.close()
    assert asked


def test_an_error_while_reading_leaves_no_thread_behind(copy, monkeypatch):
    path, _ = copy
    query = np.ones(16, dtype=np.float32)
    read_one, calls = segment_reading._read, []

    def fails(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise sqlite3.DatabaseError("the disk is gone")
        return read_one(*arguments)

    monkeypatch.setattr(segment_reading, "_read", fails)
    with Index.open(path) as index:
        with pytest.raises(IndexFileError, match="the disk is gone"):
            index.search(query)
        # The next search begins anew.
        assert len(index.search(query, k=5)) == 5
