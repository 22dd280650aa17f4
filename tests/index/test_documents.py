"""Documents go in, change, and come out as they were."""

import json
import sqlite3

import numpy as np
import pytest

from edge_mrl.errors import (
    InputError,
)
from edge_mrl.index import Document, Index, Record

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
    with pytest.raises(InputError, match="holds the largest number, .*: give ids"):
        index.add(vectors=np.ones((1, 32)))
    assert len(index) == 1


def test_unusual_texts_are_kept_as_they_are(tmp_path, word_encoder):
    texts = ["nul \0 inside", "", "e\u0301 \U0001f600 \u6f22", "x" * 100_000]
    with Index.open(tmp_path / "i.db", word_encoder()) as index:
        index.add(texts, ids=["\0", "", "\u6f22", "long"], metadata=[{"\ud800": "\0"}, {}, {}, {}])
        assert [document.text for document in index.get(["\0", "", "\u6f22", "long"])] == texts
        assert index.get(["\0"])[0].metadata == {"\ud800": "\0"}
        with pytest.raises(InputError, match="surrogate"):
            index.search("\ud800")


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
