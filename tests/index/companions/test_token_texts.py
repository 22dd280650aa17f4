"""Texts by their token vectors: a real small transformer, against MaxSim in float64."""

import sqlite3

import numpy as np
import pytest

from edge_mrl import Encoder
from edge_mrl.errors import InputError, SliceError, UntrainedDimError
from edge_mrl.index import Index, Record, build_index
from edge_mrl.index.companions import token_encoding, token_filling
from edge_mrl.retrieval import Lexical, MultiVector, SimilarTo
from edge_mrl.retrieval.request import Prefetch
from edge_mrl.slices import Slice

TEXTS = [f"zip {n} files of heron pond {n * 7 % 31}, {'fast' * (n % 3)}" for n in range(1, 41)]


@pytest.fixture(scope="module")
def encoder(token_bundle):
    return Encoder.load(token_bundle)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def reference(encoder, query, texts, dim):
    """MaxSim of each text for a query in float64, kept at 8 bits as docs/index-format.md says."""
    asked = encoder.encode_query_with_tokens([query], dim).tokens[0].astype(np.float64)
    scores = []
    for rows in encoder.encode_document_with_tokens(texts, dim).tokens:
        # In float32, as specified: in float64 a coordinate half-way between codes gets the other.
        codes = np.rint(rows / (np.abs(rows).max(axis=1, keepdims=True) / np.float32(127)))
        scores.append(float((unit(asked) @ unit(codes.astype(np.float64)).T).max(axis=1).sum()))
    return scores


def same(hits, scores, ids):
    """Hits are those of the reference; near ties may stand in any order."""
    expected = sorted((scores[id_ - 1] for id_ in ids), reverse=True)[: len(hits)]
    assert [hit.score for hit in hits] == pytest.approx(expected, abs=2e-6)
    assert [scores[hit.id - 1] for hit in hits] == pytest.approx(expected, abs=2e-6)


@pytest.fixture
def filled(tmp_path, encoder):
    with Index.open(tmp_path / "i.db", encoder) as index:
        index.create_token_index(slice=(16, 8))
        index.add(TEXTS)
        yield index


def test_a_text_is_asked_by_its_tokens(filled, encoder):
    assert (filled.token_slice, filled.token_vectors_by_model) == (Slice(16, 8), True)
    for query in ("heron pond 7", "fast zip"):
        scores = reference(encoder, query, TEXTS, 16)
        same(filled.query(query, using="tokens", limit=40).hits, scores, range(1, 41))
        shortlist = [hit.id for hit in filled.search(query, 12)]
        found = filled.query(query, prefetch=Prefetch(using="dense", limit=12), using="tokens")
        same(found.hits, scores, shortlist)
        # Words of a lexical stage are the same text.
        again = filled.query(Lexical(query), using="tokens", limit=40).hits
        same(again, scores, range(1, 41))


def test_the_model_runs_once_for_both(filled, encoder, monkeypatch):
    runs = []
    real = type(encoder).encode_query_with_tokens
    monkeypatch.setattr(
        type(encoder), "encode_query_with_tokens", lambda *a: runs.append(a[1]) or real(*a)
    )
    monkeypatch.setattr(type(encoder), "encode_query", None)
    filled.query("zip 3", prefetch=Prefetch(using=(16, 4), limit=9), using="tokens")
    assert runs == [["zip 3"]]


def test_documents_that_were_there_get_theirs(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(token_filling, "_DOCUMENTS", 7)
    monkeypatch.setattr(token_encoding, "_TEXTS", 3)
    with Index.open(tmp_path / "i.db", encoder) as index:
        index.add(TEXTS[:30])
        index.delete([4])
        seen = []
        index.create_token_index(slice=(16, 8), on_progress=seen.append)
        assert seen == [7, 14, 21, 28, 29]
        index.add(TEXTS[30:])
        scores = reference(encoder, "zip", TEXTS, 16)
        same(index.query("zip", using="tokens", limit=50).hits, scores, {*range(1, 41)} - {4})


def test_an_interrupted_filling_goes_on(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(token_filling, "_DOCUMENTS", 10)

    def stop(done):
        if done == 20:
            raise KeyboardInterrupt

    with Index.open(tmp_path / "i.db", encoder) as index:
        index.add(TEXTS)
        with pytest.raises(KeyboardInterrupt):
            index.create_token_index(slice=(16, 8), on_progress=stop)
        assert len(index.query("zip", using="tokens", limit=50).hits) == 20
        index.create_token_index(slice=(16, 8))
        assert len(index.query("zip", using="tokens", limit=50).hits) == 40


def test_they_follow_upserts_and_streams(tmp_path, encoder):
    with build_index(
        tmp_path / "i.db",
        encoder,
        [Record(text, number) for number, text in enumerate(TEXTS, 1)],
        token_vectors=Slice(16, 8),
    ) as index:
        assert index.token_slice == Slice(16, 8)
        index.upsert(["something else"], ids=[3])
        index.delete([5])
        texts = [*TEXTS[:2], "something else", *TEXTS[3:]]
        scores = reference(encoder, "files", texts, 16)
        same(index.query("files", using="tokens", limit=50).hits, scores, {*range(1, 41)} - {5})
        others = index.query(SimilarTo(3), using="tokens", limit=50).hits
        assert len(others) == 38


def test_all_dimensions_are_kept_where_none_are_named(tmp_path, encoder):
    with Index.open(tmp_path / "i.db", Encoder.load(encoder.bundle.path, truncate_dim=8)) as index:
        index.create_token_index()
        index.add(TEXTS)
        # The vectors of texts are 8 wide, those of tokens 48.
        assert (index.layout.stored.dim, index.token_slice) == (8, Slice(48, 8))
        scores = reference(encoder, "zip 3", TEXTS, 48)
        same(index.query("zip 3", using="tokens", limit=50).hits, scores, range(1, 41))


def test_the_file_is_not_locked_while_the_model_runs(tmp_path, encoder, monkeypatch):
    real = type(encoder).encode_document_with_tokens
    path = tmp_path / "i.db"

    def beside(self, texts, dim):
        with sqlite3.connect(path, timeout=0) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
        other.close()
        return real(self, texts, dim)

    monkeypatch.setattr(type(encoder), "encode_document_with_tokens", beside)
    with Index.open(path, encoder) as index:
        index.add(TEXTS[:5])
        index.create_token_index()
        index.add(TEXTS[5:9])
        assert len(index.query("zip", using="tokens").hits) == 9


def test_another_layout_meanwhile_refuses_the_batch(filled, encoder, monkeypatch, tmp_path):
    real = type(encoder).encode_document_with_tokens

    def change(self, texts, dim):
        with Index.open(tmp_path / "i.db") as other:
            other.delete_token_index()
        return real(self, texts, dim)

    monkeypatch.setattr(type(encoder), "encode_document_with_tokens", change)
    with pytest.raises(InputError, match="in another way since a moment ago: add again"):
        filled.add(["late"])
    assert len(filled) == 40


def test_vectors_that_are_brought_bring_their_tokens(filled, encoder):
    vectors = encoder.encode_document(["own", "none"])
    own = encoder.encode_tokens(["own"], dim=48)[0]
    filled.add(["own", "none"], vectors=vectors, token_vectors=[own, None])
    hits = filled.query("own", using="tokens", limit=50).hits
    assert {hit.text for hit in hits} == {*TEXTS, "own"}


def test_who_cannot_make_them_is_told(filled, tmp_path, static_bundle, encoder, word_encoder):
    filled.close()
    with Index.open(tmp_path / "i.db") as index:
        for ask in (
            lambda: index.query("zip", using="tokens"),
            lambda: index.add(["zip"]),
        ):
            with pytest.raises(InputError, match="was opened without an encoder"):
                ask()
        with pytest.raises(InputError, match="this index was opened without an encoder"):
            index.create_token_index()
        tokens = encoder.encode_tokens("zip", dim=16)
        assert len(index.query(MultiVector(tokens)).hits) == 10
    with Index.open(tmp_path / "s.db", Encoder.load(static_bundle)) as index:
        with pytest.raises(InputError, match="gives no token vectors: export .* --token-vectors"):
            index.create_token_index()
        with pytest.raises(InputError, match="keeps no token vectors: make room"):
            index.query("zip", using="tokens")
    with Index.open(tmp_path / "w.db", word_encoder()) as index:
        with pytest.raises(InputError, match="the encoder of this index gives no token vectors"):
            index.create_token_index()
        with pytest.raises(InputError, match="matryoshka_dims go with dim"):
            index.create_token_index(matryoshka_dims=[8])


def test_slices_that_the_model_does_not_give(filled, tmp_path, encoder, monkeypatch):
    with Index.open(tmp_path / "n.db", encoder) as index:
        for wrong, error in (((24, 8), UntrainedDimError), ((16, 3), SliceError)):
            with pytest.raises(error):
                index.create_token_index(slice=wrong)
        assert index.token_slice is None
    # As with the smaller table of a static bundle.
    monkeypatch.setattr(type(encoder), "token_dims", (8,))
    for ask in (lambda: filled.add(["x"]), lambda: filled.query("zip", using="tokens")):
        with pytest.raises(InputError, match="keeps token vectors of 16 dim.* this model gives 8:"):
            ask()
    assert len(filled) == 40


def test_a_query_without_a_token_says_so(tmp_path, filled, encoder, monkeypatch):
    empty = (np.ones((1, 48), dtype=np.float32), [np.empty((0, 16), dtype=np.float32)])
    monkeypatch.setattr(type(encoder), "encode_query_with_tokens", lambda *a: empty)
    with pytest.raises(InputError, match="no token that the model knows"):
        filled.query("zip", using="tokens")
    with pytest.raises(InputError, match="lone surrogate"):
        filled.query("\ud800", using="tokens")
