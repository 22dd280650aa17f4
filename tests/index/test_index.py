import json
import sqlite3

import numpy as np
import pytest

from edge_mrl import kernel
from edge_mrl.errors import (
    IndexFileError,
    IndexMismatchError,
    InputError,
    SliceError,
    UntrainedDimError,
)
from edge_mrl.index import Document, Index, IndexLayout, Record
from edge_mrl.slices import Slice

TEXTS = ["the heron waits in the reeds", "compress a file with gzip", "bake bread at home"]


def test_texts_go_in_and_come_out(tmp_path, word_encoder):
    with Index.open(tmp_path / "i.db", word_encoder()) as index:
        assert index.add(TEXTS, metadata=[{"kind": "bird"}, None, {"n": [1, {"a": None}]}]) == [
            1,
            2,
            3,
        ]
        best = index.search("gzip a file", k=1)[0]
        assert (best.id, best.text, best.metadata) == (2, TEXTS[1], {})
        assert 0.4 < best.score < 1
        assert index.get([3, 99, 1]) == [
            Document(3, TEXTS[2], {"n": [1, {"a": None}]}),
            Document(1, TEXTS[0], {"kind": "bird"}),
        ]
        assert len(index) == index.count() == 3
    with Index.open(tmp_path / "i.db", word_encoder()) as index:
        assert index.search("heron", k=10)[0].id == 1


def test_ids_keep_their_type_and_are_never_given_twice(tmp_path, word_encoder):
    with Index.open(tmp_path / "i.db", word_encoder()) as index:
        index.add(["a", "b"], ids=[7, "7"])
        assert {type(hit.id) for hit in index.search("a", k=2)} == {int, str}
        assert index.add(["c"]) == [8]
        index.delete([8])
        assert index.add(["d"]) == [9]
        assert index.add(["e"], ids=[-5]) == [-5]
        assert index.add(["f"]) == [10]


def test_upsert_replaces_and_adds(tmp_path, word_encoder):
    with Index.open(tmp_path / "i.db", word_encoder()) as index:
        index.add(TEXTS, ids=["x", "y", "z"])
        index.upsert(["a boat on the lake", "new"], ids=["y", "w"])
        assert len(index) == 4
        assert index.search("boat lake", k=1)[0].id == "y"
        assert "gzip" not in " ".join(hit.text for hit in index.search("gzip", k=10))
        assert index.delete(["y", "y", "nothing"]) == 1
        assert index.get(["y"]) == []
        assert len(index.search("boat", k=10)) == 3


def test_a_stream_is_added_batch_by_batch(tmp_path, word_encoder):
    seen = []
    with Index.open(tmp_path / "i.db", word_encoder()) as index:
        records = (Record(f"text {n}", id=n, metadata={"n": n}) for n in range(25))
        assert index.add_stream(records, batch_size=10, on_progress=seen.append) == 25
        assert seen == [10, 20, 25]
        assert index.get([24])[0].metadata == {"n": 24}
        again = [Record("new text", id=3)]
        with pytest.raises(InputError, match="upsert"):
            index.add_stream(again)
        assert index.add_stream(again, upsert=True) == 1
        assert index.get([3])[0].text == "new text"
        with pytest.raises(InputError, match="batch"):
            index.add_stream([], batch_size=0)


def test_a_bulk_load_is_durable_at_its_end_and_writes_after_it_are_again(vector_index, tmp_path):
    index = vector_index(32)
    synchronous = index._store.connection.execute
    with index.bulk_load() as loading:
        assert loading is index
        assert synchronous("PRAGMA synchronous").fetchone() == (1,)
        index.add(vectors=np.ones((3, 32)))
    assert synchronous("PRAGMA synchronous").fetchone() == (2,)
    with pytest.raises(InputError, match="31 dimensions"), index.bulk_load():
        index.add(vectors=np.ones((2, 32)))
        index.add(vectors=np.ones((1, 31)))
    assert synchronous("PRAGMA synchronous").fetchone() == (2,)
    with Index.open(tmp_path / "v.db") as other:
        assert len(other) == 5


@pytest.mark.parametrize("scan", ["32x1", "32x2", "32x4", "32x8", "16x8"])
@pytest.mark.parametrize("stored", ["32x8", "32x16", "32x32"])
def test_search_equals_brute_force(vector_index, clustered, brute_force, stored, scan):
    layout = IndexLayout(Slice.parse(stored), Slice.parse(scan))
    vectors = clustered(900, 32)
    index = vector_index(32, layout=layout)
    index.add(vectors=vectors, ids=list(range(900)))
    for query in clustered(10, 32, seed=1):
        expected = brute_force(vectors, query, 10)
        found = index.search(query)
        assert found == index.search(query, exact=True)
        if stored != "32x8":
            assert [hit.id for hit in found] == expected
        cosines = [float(vectors[hit.id].astype(float) @ query) for hit in found]
        assert [hit.score for hit in found] == pytest.approx(cosines, abs=0.01)
        assert len({hit.id for hit in found} & set(expected)) >= 9


def test_recall_of_the_funnel_at_the_default_layout(vector_index, clustered, brute_force):
    vectors = clustered(6000, 128)
    index = vector_index(128)
    index.add(vectors=vectors, ids=list(range(6000)))
    assert str(index.layout) == "stored 128x8, scan 128x2, refine 128x4"
    stats = index.stats()
    assert stats.expected_recall is not None and stats.expected_recall >= 0.99
    first, last = stats.shortlists
    assert 10 <= last < first < 1500
    found = 0
    for query in clustered(6050, 128)[6000:]:
        hits = {hit.id for hit in index.search(query)}
        found += len(hits & set(brute_force(vectors, query, 10)))
    assert found / 500 >= 0.97


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


def test_scores_do_not_depend_on_the_shortlist(vector_index, clustered):
    vectors = clustered(3000, 64)
    index = vector_index(64)
    index.add(vectors=vectors)
    exact = {hit.id: hit.score for hit in index.search(vectors[5], k=3000, exact=True)}
    for k in (1, 7, 300):
        for hit in index.search(vectors[5], k=k):
            assert hit.score == exact[hit.id]


def test_equal_scores_come_in_the_order_of_adding(vector_index):
    index = vector_index(32)
    row = np.ones((1, 32))
    for id_ in ("c", "a", "b"):
        index.add(vectors=row, ids=[id_])
    assert [hit.id for hit in index.search(row[0])] == ["c", "a", "b"]
    index.upsert(vectors=row, ids=["c"])
    assert [hit.id for hit in index.search(row[0], k=2)] == ["a", "b"]


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing to add"),
        ({"texts": ["a"]}, "without an encoder"),
        ({"vectors": np.ones((2, 31))}, "31 dimensions"),
        ({"vectors": np.ones(32)}, "shape"),
        ({"vectors": [[1, 2], [3]]}, "one length"),
        ({"vectors": [["a"] * 32]}, "numbers"),
        ({"vectors": 5.0}, "table of numbers"),
        ({"vectors": np.zeros((1, 32))}, "vector 0 .* no direction"),
        ({"vectors": np.vstack([np.ones(32), np.full(32, np.nan)])}, "vector 1 .* not finite"),
        ({"vectors": np.full((1, 32), np.inf)}, "not finite"),
        ({"vectors": np.full((1, 32), 1e300)}, "not finite"),
        ({"vectors": np.ones((2, 32)), "texts": ["a"]}, "1 texts for 2 vectors"),
        ({"vectors": np.ones((2, 32)), "ids": [1]}, "1 ids for 2 documents"),
        ({"vectors": np.ones((2, 32)), "ids": ["a", "a"]}, "stands twice"),
        ({"vectors": np.ones((2, 32)), "ids": "ab"}, "must be a list"),
        ({"vectors": np.ones((1, 32)), "ids": [True]}, "int or a str"),
        ({"vectors": np.ones((1, 32)), "ids": [1.0]}, "int or a str"),
        ({"vectors": np.ones((1, 32)), "ids": [2**63]}, "64 bits"),
        ({"vectors": np.ones((1, 32)), "ids": ["\ud800"]}, "surrogate"),
        ({"vectors": np.ones((1, 32)), "metadata": [{}, {}]}, "2 metadata for 1"),
        ({"vectors": np.ones((1, 32)), "metadata": [[1]]}, "document 0 must be a dict"),
        ({"vectors": np.ones((1, 32)), "metadata": [{"a": {1}}]}, "stored as JSON"),
        ({"vectors": np.ones((1, 32)), "metadata": [{"a": float("nan")}]}, "stored as JSON"),
        ({"vectors": np.ones((1, 32)), "texts": "a"}, "texts must be a list"),
        ({"vectors": np.ones((1, 32)), "texts": [5]}, "text 0 must be a str"),
        ({"vectors": np.ones((1, 32)), "texts": ["ok \udc00"]}, "surrogate at character 3"),
    ],
)
def test_bad_input_is_refused_in_words_and_adds_nothing(vector_index, arguments, message):
    index = vector_index(32)
    index.add(vectors=np.ones((1, 32)), ids=["first"])
    for method in (index.add, index.upsert):
        with pytest.raises(InputError, match=message):
            method(**arguments)
    assert len(index) == 1


def test_a_taken_id_adds_nothing(vector_index):
    index = vector_index(32)
    index.add(vectors=np.ones((1, 32)), ids=["a"])
    with pytest.raises(InputError, match="'a' is in the index already"):
        index.add(vectors=np.ones((3, 32)), ids=["b", "a", "c"])
    assert len(index) == 1
    assert index.add(vectors=np.ones((1, 32))) == [1]


def test_the_largest_id_leaves_no_next_number(vector_index):
    index = vector_index(32)
    index.add(vectors=np.ones((1, 32)), ids=[2**63 - 1])
    with pytest.raises(InputError, match="64 bits"):
        index.add(vectors=np.ones((1, 32)))
    assert len(index) == 1


@pytest.mark.parametrize("k", [0, -1, 1.0, True, "3"])
def test_k_must_be_a_positive_whole_number(vector_index, k):
    with pytest.raises(InputError, match="k must be"):
        vector_index(32).search(np.ones(32), k=k)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("words", "without an encoder"),
        (np.ones(5), "5 dimensions"),
        (np.full(32, np.nan), "query 0 .* not finite"),
        (np.zeros(32), "no direction"),
        (3.0, "shape"),
        ([[1, 2], [3]], "numbers|length"),
    ],
)
def test_bad_queries(vector_index, query, message):
    with pytest.raises(InputError, match=message):
        vector_index(32).search(query)


def test_an_empty_index_and_a_large_k(vector_index):
    index = vector_index(32)
    assert index.search(np.ones(32)) == index.search(np.ones(32), exact=True) == []
    index.optimize()
    assert index.search(np.ones(32)) == []
    assert index.add(vectors=np.empty((0, 32))) == index.add([], vectors=[]) == []
    index.add(vectors=np.eye(32))
    assert len(index.search(np.ones(32), k=1000)) == 32
    index.delete(list(range(1, 33)))
    assert index.search(np.ones(32), k=5) == []


def test_unusual_texts_are_kept_as_they_are(tmp_path, word_encoder):
    texts = ["nul \0 inside", "", "e\u0301 \U0001f600 \u6f22", "x" * 100_000]
    with Index.open(tmp_path / "i.db", word_encoder()) as index:
        index.add(texts, ids=["\0", "", "\u6f22", "long"], metadata=[{"\ud800": "\0"}, {}, {}, {}])
        assert [document.text for document in index.get(["\0", "", "\u6f22", "long"])] == texts
        assert index.get(["\0"])[0].metadata == {"\ud800": "\0"}
        with pytest.raises(InputError, match="surrogate"):
            index.search("\ud800")


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


def test_metadata_is_json_in_the_file(tmp_path, word_encoder):
    with Index.open(tmp_path / "i.db", word_encoder()) as index:
        index.add(["a"], metadata=[{"year": 1999}])
    connection = sqlite3.connect(tmp_path / "i.db")
    (text,) = connection.execute("SELECT metadata FROM documents").fetchone()
    connection.close()
    assert json.loads(text) == {"year": 1999}


def test_a_text_without_direction_is_kept_and_scores_zero(tmp_path, word_encoder):
    with Index.open(tmp_path / "i.db", word_encoder()) as index:
        index.add(["the heron", "", "the owl"], ids=["heron", "empty", "owl"])
        assert [document.text for document in index.get(["empty"])] == [""]
        index.optimize()
        hits = {hit.id: hit.score for hit in index.search("heron", k=3)}
        assert hits["empty"] == 0
        assert max(hits, key=hits.get) == "heron"
        with pytest.raises(InputError, match="no direction"):
            index.search("")
