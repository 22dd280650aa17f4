"""The index as a file: opening, making, closing, figures, its model."""

import numpy as np
import pytest

from edge_mrl import kernel
from edge_mrl.errors import (
    IndexFileError,
    IndexMismatchError,
    SliceError,
    UntrainedDimError,
)
from edge_mrl.index import Index, IndexLayout
from edge_mrl.slices import Slice

TEXTS = ["the heron waits in the reeds", "compress a file with gzip", "bake bread at home"]


def test_what_was_stored_is_not_refused_when_the_measurement_fails(
    vector_index, clustered, monkeypatch
):
    def failing(store, layout):
        raise IndexFileError("the disk fails")

    index = vector_index(32)
    with monkeypatch.context() as patch:
        patch.setattr("edge_mrl.index.searching.measuring.measure", failing)
        assert len(index.add(vectors=clustered(2500, 32))) == 2500
        assert index.stats().measurement is None
        with pytest.raises(IndexFileError, match="the disk fails"):
            index.optimize()
    index.add(vectors=clustered(1, 32))
    measured = index.stats().measurement
    assert (measured.documents, measured.sampled) == (2501, 2501)


def test_wider_vectors_are_cut(tmp_path, word_encoder, vector_index, clustered):
    layout = IndexLayout(Slice(32, 8), Slice(16, 4))
    with Index.open(tmp_path / "i.db", word_encoder(64), layout=layout) as index:
        index.add(TEXTS)
        wide = index.search("gzip")
    with Index.open(tmp_path / "i.db", word_encoder(32)) as index:
        assert [hit.id for hit in index.search("gzip")] == [hit.id for hit in wide]
        assert index.stats().dim == 64
    with pytest.raises(SliceError, match="truncate_dim=32"):
        Index.open(tmp_path / "i.db", word_encoder(16))
    with pytest.raises(SliceError, match="stored 32x8, scan 16x4"):
        Index.open(tmp_path / "i.db", layout=IndexLayout(Slice(32, 8), Slice(32, 1)))


def test_the_plans_layout_is_used_for_a_new_index(tmp_path, word_encoder):
    layout = IndexLayout(Slice(32, 16), Slice(32, 2))
    with Index.open(tmp_path / "i.db", word_encoder(layout=layout)) as index:
        assert index.layout == layout
    with Index.open(tmp_path / "i.db", word_encoder()) as index:
        assert index.layout == layout


def test_another_model_is_refused_by_name(tmp_path, word_encoder):
    Index.open(tmp_path / "i.db", word_encoder()).close()
    other = word_encoder(identity="ff" * 32, model_name="others")
    with pytest.raises(IndexMismatchError) as caught:
        Index.open(tmp_path / "i.db", other)
    for part in ("words", "others", "a1" * 6, "ff" * 6):
        assert part in str(caught.value)


def test_what_cannot_be_opened_or_created(tmp_path, word_encoder):
    with pytest.raises(IndexFileError, match="there is no index"):
        Index.open(tmp_path / "missing.db")
    with pytest.raises(IndexFileError, match="folder"):
        Index.open(tmp_path / "no" / "i.db", word_encoder())
    with pytest.raises(IndexFileError, match="path of a file"):
        Index.open(tmp_path, word_encoder())
    facts = {"dim": 8, "matryoshka_dims": [4, 8], "identity": "id", "model_name": "m"}
    with pytest.raises(UntrainedDimError, match="4, 8"):
        Index.create(tmp_path / "a.db", **(facts | {"dim": 6}))
    with pytest.raises(UntrainedDimError):
        Index.create(tmp_path / "a.db", **facts, layout=IndexLayout(Slice(6, 8), Slice(4, 8)))
    with pytest.raises(SliceError, match="wider than the vectors"):
        Index.create(tmp_path / "a.db", **facts, layout=IndexLayout(Slice(16, 8), Slice(4, 8)))
    for wrong in ({"identity": ""}, {"model_name": "a\nb"}, {"matryoshka_dims": []}):
        with pytest.raises(ValueError, match=r"identity|model_name|trained"):
            Index.create(tmp_path / "a.db", **(facts | wrong))
    assert not (tmp_path / "a.db").exists()
    Index.create(tmp_path / "a.db", **facts).close()
    with pytest.raises(IndexFileError, match="exists"):
        Index.create(tmp_path / "a.db", **facts)


def test_an_empty_file_becomes_an_index_only_with_an_encoder(tmp_path, word_encoder):
    (tmp_path / "i.db").touch()
    with pytest.raises(IndexFileError, match="empty"):
        Index.open(tmp_path / "i.db")
    with Index.open(tmp_path / "i.db", word_encoder()) as index:
        assert index.add(["a"]) == [1]


def test_optimize_gives_space_back(vector_index, clustered):
    index = vector_index(32)
    index.add(vectors=clustered(5000, 32))
    before = index.stats().file_bytes
    index.delete(list(range(1, 4501)))
    kept = index.search(clustered(1, 32, seed=3)[0], k=20)
    index.optimize()
    assert index.search(clustered(1, 32, seed=3)[0], k=20) == kept
    stats = index.stats()
    assert stats.file_bytes < before / 4
    assert stats.documents == 500
    assert stats.resident_bytes == 500 * (32 + 2 + 8)
    assert index.add(vectors=np.ones((1, 32))) == [5001]


def test_stats(tmp_path, word_encoder):
    with Index.open(tmp_path / "i.db", word_encoder()) as index:
        index.add(TEXTS)
        stats = index.stats()
    assert (stats.documents, stats.dim, stats.matryoshka_dims) == (3, 64, (16, 32, 64))
    assert (stats.identity, stats.model_name) == ("a1" * 32, "words")
    assert stats.kernel == kernel.info().name
    assert (stats.shortlists, stats.expected_recall) == ((3, 3), None)
    assert stats.layout == IndexLayout(Slice(64, 8), Slice(64, 2), Slice(64, 4))
    assert stats.file_bytes > 0


def test_using_a_closed_index_or_another_thread(tmp_path, word_encoder):
    index = Index.open(tmp_path / "i.db", word_encoder())
    index.close()
    index.close()
    with pytest.raises(IndexFileError, match="after close"):
        index.count()


def test_the_bundle_is_remembered_and_found_after_a_move(tmp_path, word_encoder):
    (tmp_path / "a" / "bundle").mkdir(parents=True)
    with Index.open(tmp_path / "a" / "i.db", word_encoder()) as index:
        assert index.bundle is None
        index.remember_bundle(tmp_path / "a" / "bundle")
        assert index.bundle == tmp_path / "a" / "bundle"
    (tmp_path / "a").rename(tmp_path / "b")
    with Index.open(tmp_path / "b" / "i.db") as index:
        assert index.bundle == tmp_path / "b" / "bundle"
