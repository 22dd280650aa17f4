"""Indexes of vectors that were made elsewhere, on the command line."""

import json

import numpy as np
import pytest

from edge_mrl import Encoder
from edge_mrl.cli.main import main
from tests.cli.running import fails, run_json

DIMS = "16,32,64"


@pytest.fixture
def rows():
    return np.random.default_rng(1).standard_normal((50, 64)).astype(np.float32)


@pytest.fixture
def vectors(tmp_path, rows):
    path = tmp_path / "v.npz"
    texts = np.array([f"text {row}" for row in range(len(rows))])
    np.savez(path, vectors=rows, ids=np.arange(100, 150), texts=texts)
    return path


@pytest.fixture
def built(tmp_path, vectors):
    place = tmp_path / "i.db"
    options = ["--vectors", vectors, "--dims", DIMS, "--identity", "somebody-v1"]
    assert main([*map(str, ["build", place, *options])]) == 0
    return place


def test_build_and_search_by_list_and_by_file(capsys, built, rows, tmp_path):
    query = json.dumps(rows[3].tolist())
    hits = run_json(capsys, "search", built, "--vector", query, "-k", 2)["hits"]
    assert (hits[0]["id"], hits[0]["text"]) == (103, "text 3")
    assert hits[0]["score"] == pytest.approx(1, abs=0.001)
    np.save(tmp_path / "q.npy", rows[3])
    assert run_json(capsys, "search", built, "--vector", tmp_path / "q.npy", "-k", 2) == {
        "hits": hits
    }


def test_a_smaller_size_can_be_stored(capsys, vectors, tmp_path):
    options = ["--vectors", vectors, "--dims", DIMS, "--identity", "x", "--dim", 32]
    made = run_json(capsys, "build", tmp_path / "s.db", *options)
    assert (made["documents"], made["stored"], made["variant"]) == (50, "32x8", None)
    assert main([*map(str, ["build", tmp_path / "t.db", *options])]) == 0
    assert "50 documents" in capsys.readouterr().out


def test_add_and_upsert(capsys, built, vectors, rows, tmp_path):
    assert "the id 100 is in the index already" in fails(capsys, "add", built, "--vectors", vectors)
    added = run_json(capsys, "add", built, "--vectors", vectors, "--upsert")
    assert (added["added"], added["documents"]) == (50, 50)
    line = fails(capsys, "add", built, "--vectors", vectors, "--bundle", tmp_path)
    assert "need no encoder" in line
    np.save(tmp_path / "more.npy", rows[:5])
    assert run_json(capsys, "add", built, "--vectors", tmp_path / "more.npy")["documents"] == 55


def test_vectors_of_a_bundle_can_be_searched_with_words(capsys, static_bundle, tmp_path):
    texts = ["Compress a file with gzip.", "The heron waits in the reeds."]
    vectors = Encoder.load(static_bundle).encode_document(texts)
    np.savez(tmp_path / "v.npz", vectors=vectors, texts=np.array(texts))
    options = ["--vectors", tmp_path / "v.npz", "--bundle", static_bundle]
    run_json(capsys, "build", tmp_path / "i.db", *options)
    assert run_json(capsys, "search", tmp_path / "i.db", "a bird", "-k", 1)["hits"][0]["id"] == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "name it with --identity"),
        (["--identity", "x", "--dims", "16,32"], "not trained for 64"),
        (["--identity", "x", "--dims", DIMS, "--dim", "20"], "not trained for 20"),
        (["--identity", "x", "--dims", "a"], "256,512,1024,1536"),
        (["--identity", "x", "--variant", "v"], "need no encoder"),
        (["--identity", "x", "--bundle", "b"], "the bundle says both"),
        (["--identity", "x", "--column", "nope"], "'nope'"),
    ],
)
def test_build_that_cannot_be(capsys, vectors, tmp_path, options, words):
    line = fails(capsys, "build", tmp_path / "x.db", "--vectors", vectors, *options)
    assert words in line
    assert not list(tmp_path.glob("*x.db*"))


def test_a_bad_row_leaves_nothing(capsys, tmp_path, rows):
    rows[40] = np.inf
    np.save(tmp_path / "v.npy", rows)
    options = ["--vectors", tmp_path / "v.npy", "--identity", "x"]
    assert "vector 40" in fails(capsys, "build", tmp_path / "x.db", *options)
    assert not list(tmp_path.glob("*x.db*"))


def test_texts_need_a_bundle_and_nothing_of_vectors(capsys, tmp_path):
    options = ["build", tmp_path / "x.db", "--input", tmp_path / "c"]
    assert "--bundle" in fails(capsys, *options)
    assert "--vectors" in fails(capsys, *options, "--identity", "x")
    for command in (options, ["add", *options[1:]]):
        assert "columns go with" in fails(capsys, *command, "--id-column", "x")


@pytest.mark.parametrize(
    ("vector", "words"),
    [
        ("[1, 2", "not a JSON list"),
        ("[[1, 2]]", "one JSON list"),
        ("[1, 2]", "2 dimensions do not fit"),
        ('["a"]', "one JSON list"),
        ("[]", "one JSON list of numbers"),
        ("nothing.npy", "no file of vectors"),
        ("words", "does not end in"),
    ],
)
def test_query_vectors_that_cannot_be(capsys, built, vector, words):
    assert words in fails(capsys, "search", built, "--vector", vector)


def test_words_or_a_vector(capsys, built):
    assert "give one thing" in fails(capsys, "search", built)
    assert "give one thing" in fails(capsys, "search", built, "x", "--vector", "[1]")
    assert "where its model is, somebody-v1: " in fails(capsys, "search", built, "words")
