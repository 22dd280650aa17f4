"""Measuring the lists: codes that the file keeps already are not packed again."""

import numpy as np
import pytest

from edge_mrl import Index, IndexLayout, Slice
from edge_mrl.index.format import segments
from edge_mrl.index.searching.measuring import measure
from edge_mrl.index.storage import segment_store

LAYOUTS = {
    "two stages": IndexLayout(Slice(64, 8), Slice(64, 1), Slice(64, 2)),
    "one stage": IndexLayout(Slice(64, 8), Slice(32, 4)),
}


@pytest.fixture(params=LAYOUTS)
def index(request, tmp_path):
    drawn = np.random.default_rng(3).standard_normal((12_301, 64)) * (1 + np.arange(64)) ** -0.7
    with Index.create(
        tmp_path / "i.db",
        dim=64,
        matryoshka_dims=[32, 64],
        identity="i",
        layout=LAYOUTS[request.param],
    ) as made:
        # Segments that end within a block of 32 rows.
        for part in np.array_split(drawn, 3):
            made.add(vectors=part.astype(np.float32))
        yield made


def measured(index, monkeypatch):
    """What is measured, and how often codes were packed for it."""
    calls, build = [], segments.build
    monkeypatch.setattr(segments, "build", lambda *args: calls.append(args) or build(*args))
    with index._store.read():
        found = measure(index._store, index.layout)
    monkeypatch.undo()
    return found, len(calls)


def change(index, statement):
    with index._store.write():
        index._store.connection.execute(statement)


def test_codes_of_the_file_give_what_packing_gives(index, monkeypatch):
    with index._store.read():
        ends = [head.last_row for head in segment_store.heads(index._store, index.layout)]
    assert len(ends) == 3 and ends[0] % 32
    kept, packed = measured(index, monkeypatch)
    assert not packed
    change(index, "DELETE FROM segments WHERE first_row > 1")
    some, packed = measured(index, monkeypatch)
    change(index, "DELETE FROM segments")
    made, packed_all = measured(index, monkeypatch)
    assert packed_all
    assert kept == some == made


def test_damaged_codes_are_packed_anew(index, monkeypatch):
    kept, _ = measured(index, monkeypatch)
    change(index, "UPDATE segments SET codes = zeroblob(length(codes))")
    made, packed = measured(index, monkeypatch)
    assert packed
    assert kept == made


def test_documents_that_are_in_no_segment_yet_count(index, monkeypatch):
    index.add(vectors=np.random.default_rng(4).standard_normal((5, 64)).astype(np.float32))
    kept, packed = measured(index, monkeypatch)
    assert packed
    change(index, "DELETE FROM segments")
    assert measured(index, monkeypatch)[0] == kept
