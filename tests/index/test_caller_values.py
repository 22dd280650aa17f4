"""What programs hand in: whole numbers of any type, and what cannot be taken leaves no file."""

import json
import sqlite3

import numpy as np
import pytest

from edge_mrl.corpus import Corpus
from edge_mrl.errors import CorpusError, IndexFileError, InputError, SliceError
from edge_mrl.index import Index, IndexLayout
from edge_mrl.index.writing.batch import MAX_NESTING
from edge_mrl.retrieval import Prefetch, SimilarTo
from edge_mrl.slices import Slice

ROWS = np.eye(16, dtype=np.float32)


def made(path, **changed):
    wanted = {"dim": 16, "matryoshka_dims": [8, 16], "identity": "a"} | changed
    return Index.create(path, **wanted)


def test_ids_may_be_numpy_numbers_and_are_stored_as_plain_ones(tmp_path):
    with made(tmp_path / "i.db") as index:
        ids = index.add(vectors=ROWS, ids=np.arange(16, dtype=np.int64) + 100)
        assert ids == list(range(100, 116))
        assert {type(id_) for id_ in ids} == {int}
        hit = index.search(ROWS[3], k=np.int32(1), threads=np.int64(1))[0]
        assert (hit.id, type(hit.id)) == (103, int)
        assert [document.id for document in index.get(np.array([105, 104]))] == [105, 104]
        assert index.delete(np.array([105], dtype=np.uint8)) == 1
        like = index.query(SimilarTo(np.int64(104)), limit=np.int64(3), offset=np.int64(1))
        assert len(like.hits) == 3
        assert index.add(vectors=ROWS[:1]) == [116]
    with sqlite3.connect(tmp_path / "i.db") as file:
        kinds = file.execute("SELECT DISTINCT typeof(coalesce(id, row)) FROM documents").fetchall()
    file.close()
    assert kinds == [("integer",)]


def test_one_id_in_two_types_stands_twice(tmp_path):
    with made(tmp_path / "i.db") as index, pytest.raises(InputError, match="7 stands twice"):
        index.add(vectors=ROWS[:2], ids=[7, np.int64(7)])


@pytest.mark.parametrize("id_", [True, np.True_, 1.0, np.float64(1), np.uint64(2**63)])
def test_what_is_no_whole_number_of_64_bits_is_no_id(tmp_path, id_):
    with made(tmp_path / "i.db") as index:
        with pytest.raises(InputError, match="id"):
            index.add(vectors=ROWS[:1], ids=[id_])
        assert len(index) == 0


def test_sizes_may_be_numpy_numbers(tmp_path):
    layout = IndexLayout(Slice(np.int64(16), np.int64(8)), Slice(np.int16(8), 1))
    sizes = np.array([16, 8])
    with made(tmp_path / "i.db", dim=np.int64(16), matryoshka_dims=sizes, layout=layout) as index:
        assert str(index.layout) == "stored 16x8, scan 8x1"
    with sqlite3.connect(tmp_path / "i.db") as file:
        (facts,) = file.execute("SELECT value FROM meta WHERE key = 'index'").fetchone()
    file.close()
    assert json.loads(facts)["matryoshka_dims"] == [8, 16]
    with Index.open(tmp_path / "i.db") as index:
        assert index.layout == layout


@pytest.mark.parametrize(
    "changed",
    [
        {"dim": 16.0},
        {"dim": "16"},
        {"matryoshka_dims": ["8", "16"]},
        {"matryoshka_dims": "16"},
        {"matryoshka_dims": [8, 16.0]},
        {"matryoshka_dims": None},
        {"matryoshka_dims": 16},
        {"matryoshka_dims": []},
        {"identity": b"a"},
        {"identity": ""},
        {"identity": "a\nb"},
        {"layout": "16x8"},
    ],
    ids=str,
)
def test_what_cannot_be_an_index_leaves_no_file(tmp_path, changed):
    with pytest.raises((InputError, SliceError)):
        made(tmp_path / "i.db", **changed)
    assert list(tmp_path.iterdir()) == []


def test_an_index_that_cannot_get_its_tables_leaves_no_file(tmp_path, monkeypatch):
    """As when the disk is full, or a key interrupts."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("edge_mrl.index.opening.read_meta", interrupted)
    monkeypatch.setattr("edge_mrl.index.storage.store.Store.migrate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "i.db")
    assert list(tmp_path.iterdir()) == []


def nested(depth):
    found = {"a": 1}
    for level in range(depth - 1):
        found = {"a": found} if level % 2 else {"a": [found]}
    return found


def depth_of(value):
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value)) if isinstance(value, list) else 0


def test_metadata_is_nested_so_deep_that_any_program_can_read_it(tmp_path):
    deepest = next(nested(n) for n in range(1, 200) if depth_of(nested(n)) >= MAX_NESTING)
    wide = {"a": [{"b": []} for _ in range(500)], "b": "{[" * 500}
    with made(tmp_path / "i.db") as index:
        index.add(vectors=ROWS[:2], metadata=[deepest, wide])
        assert [found.metadata for found in index.get([1, 2])] == [deepest, wide]
        with pytest.raises(InputError, match="document 1 is nested more than 100 deep"):
            index.add(vectors=ROWS[:2], metadata=[{}, {"a": deepest}])
        assert len(index) == 2


def test_a_line_of_a_corpus_is_refused_before_any_is_stored(tmp_path):
    line = json.dumps({"_id": "a", "text": "b", "metadata": nested(150)})
    path = tmp_path / "c.jsonl"
    path.write_text('{"_id": "b", "text": "c"}\n' + line)
    with pytest.raises(CorpusError, match="line 2: the metadata of the document is nested more"):
        Corpus.check(path)


@pytest.mark.parametrize("name", ["a\0b", "a" * 5000], ids=["NUL", "too long"])
def test_a_path_that_no_file_can_have(tmp_path, name, word_encoder):
    for opened in (
        lambda path: Index.open(path),
        lambda path: Index.open(path, word_encoder()),
        made,
    ):
        with pytest.raises(IndexFileError, match="give another path"):
            opened(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_s_path_is_no_encoder(tmp_path):
    with pytest.raises(InputError, match="must be an Encoder, not str: Encoder.load"):
        Index.open(tmp_path / "i.db", "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_generator_of_texts_is_told_what_to_do(vector_index):
    with pytest.raises(InputError, match="not generator: make a list of it"):
        vector_index().add(text for text in "ab")


def test_what_an_index_shows_of_itself(tmp_path):
    with made(tmp_path / "i.db") as index:
        shown = repr(index)
    assert repr(str(tmp_path / "i.db")) in shown and "stored 16x8, scan 16x8" in shown


def test_slices_of_other_numbers_are_refused():
    with pytest.raises(SliceError, match="'16' dimensions"):
        Slice("16", 8)
    with pytest.raises(SliceError, match="give a text"):
        Slice.parse(None)
    with pytest.raises(SliceError, match=r"\(16, 8\) is no Slice"):
        IndexLayout((16, 8), (16, 1))
    for dim, bits in ((16.0, 8), ("16", 8), (16, 8.0), (True, 8)):
        with pytest.raises(SliceError):
            Slice(dim, bits)


def test_thresholds_may_be_numpy_numbers():
    threshold = Prefetch(limit=np.int64(2), score_threshold=np.float32(0.5))
    assert (threshold.limit, threshold.score_threshold) == (2, 0.5)
    assert (type(threshold.limit), type(threshold.score_threshold)) == (int, float)
    with pytest.raises(InputError, match="must be a number"):
        Prefetch(score_threshold=np.float32("nan"))


@pytest.mark.parametrize("record", ["a text", ("a text",), {"text": "a text"}], ids=str)
def test_a_stream_of_other_things_than_records_is_refused(vector_index, record):
    index = vector_index()
    with pytest.raises(InputError, match="made of Record, not"):
        index.add_stream([record])
    with pytest.raises(InputError, match="batch_size"):
        index.add_stream([], batch_size="3")
    assert len(index) == 0


def test_a_bundle_in_a_folder_whose_name_is_no_text_is_remembered(vector_index, tmp_path):
    folder = tmp_path / "b\udcff\udcfe"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    index = vector_index()
    index.remember_bundle(folder)
    assert index.bundle is not None
    assert index.bundle.samefile(folder)
