"""Token vectors in an index against MaxSim in float64, and how they follow their documents."""

import sqlite3

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from edge_mrl.errors import IndexFileError, InputError, SliceError, UntrainedDimError
from edge_mrl.index import Index, reslice_index
from edge_mrl.index.searching import token_search
from edge_mrl.retrieval import Lexical, MultiVector, SimilarTo
from edge_mrl.retrieval.request import Prefetch
from edge_mrl.slices import Slice

DIM = 24


def token_vectors(seed, count=None, dim=DIM):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((count or int(generator.integers(1, 9)), dim))


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def eight_bits(rows, dim):
    """What docs/index-format.md says of 8 bits, in float64."""
    cut = unit(rows[:, :dim])
    scale = np.abs(cut).max(axis=1, keepdims=True) / 127
    return np.rint(cut / scale)


def reference(query, documents, dim=DIM, keep=eight_bits):
    """Numbers and MaxSim of documents, best first."""
    asked = unit(query[:, :dim])
    scored = [
        (number, float((asked @ unit(keep(rows, dim)).T).max(axis=1).sum()))
        for number, rows in documents.items()
    ]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))


def same(hits, expected):
    assert [hit.id for hit in hits] == [number for number, _ in expected]
    assert [hit.score for hit in hits] == pytest.approx([s for _, s in expected], abs=2e-6)


@pytest.fixture
def filled(vector_index, clustered):
    """An index of 40 documents, of which the first 30 have token vectors."""
    index = vector_index(32)
    index.create_token_index(DIM)
    vectors = clustered(40, 32)
    tokens = {number: token_vectors(number) for number in range(1, 31)}
    index.add(
        [f"text {number}" for number in range(1, 41)],
        vectors=vectors,
        metadata=[{"n": number} for number in range(1, 41)],
        token_vectors=[tokens.get(number) for number in range(1, 41)],
    )
    return index, vectors, tokens


@pytest.mark.parametrize("small_batches", [False, True])
def test_a_rerank_of_candidates_is_the_reference(filled, monkeypatch, small_batches):
    index, vectors, tokens = filled
    if small_batches:
        monkeypatch.setattr(token_search, "_TOKENS", 3)
    for seed in range(5):
        query = token_vectors(100 + seed, 7)
        found = index.query(
            MultiVector(query),
            prefetch=Prefetch(query=vectors[seed], using=(32, 8), limit=12),
            limit=10,
            explain=True,
        )
        nearest = [hit.id for hit in index.search(vectors[seed], 12, exact=True)]
        listed = {number: tokens[number] for number in nearest if number in tokens}
        same(found.hits, reference(query, listed)[:10])
        last = found.explanation.stages[-1]
        assert (last.name, last.depth, last.documents) == ("rescore tokens", 0, len(listed))
        count = sum(map(len, listed.values()))
        assert last.bytes_compared == count * DIM
        assert last.bytes_read == count * DIM + 4 * len(listed)


def test_without_prefetches_all_are_compared(filled):
    index, _, tokens = filled
    query = token_vectors(7, 3)
    same(index.query(MultiVector(query), limit=40).hits, reference(query, tokens))
    few = {"must": [{"key": "n", "range": {"gte": 20, "lt": 25}}]}
    hits = index.query(MultiVector(query), limit=40, filter=few).hits
    same(hits, reference(query, {n: tokens[n] for n in range(20, 25)}))


def test_a_text_may_find_what_tokens_order(filled):
    index, _, tokens = filled
    index.create_lexical_index()
    query = token_vectors(8, 3)
    found = index.query(
        MultiVector(query), prefetch=Prefetch(query=Lexical("3 4 35"), limit=5), using="tokens"
    )
    same(found.hits, reference(query, {3: tokens[3], 4: tokens[4]}))


def test_a_document_stands_in_for_a_query(filled):
    index, _, tokens = filled
    hits = index.query(SimilarTo(5), using="tokens", limit=40).hits
    others = {n: rows for n, rows in tokens.items() if n != 5}
    same(hits, reference(eight_bits(tokens[5], DIM), others))
    with pytest.raises(InputError, match="the document 35 has no token vectors"):
        index.query(SimilarTo(35), using="tokens")


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["add", "upsert", "delete", "optimize"]), st.integers(1, 8)),
        max_size=12,
    ),
    kept=st.sampled_from([(8, 8), (16, 32), (16, 8)]),
)
@settings(max_examples=25, deadline=None)
def test_they_follow_their_documents(tmp_path_factory, steps, kept):
    path = tmp_path_factory.mktemp("tokens") / "i.db"
    alive = {}
    with Index.create(path, dim=4, matryoshka_dims=[4], identity="i") as index:
        index.create_token_index(16, matryoshka_dims=[8, 16], slice=kept)
        for turn, (step, id_) in enumerate(steps):
            rows = token_vectors(turn, dim=16)
            if step == "optimize":
                index.optimize()
            elif step == "delete":
                index.delete([id_])
                alive.pop(id_, None)
            elif step == "upsert" or id_ not in alive:
                index.upsert(vectors=np.ones((1, 4)), ids=[id_], token_vectors=[rows])
                alive[id_] = rows
    keep = eight_bits if kept[1] == 8 else lambda rows, dim: rows[:, :dim]
    query = token_vectors(999, 4, dim=16)
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT count(*) FROM token_vectors").fetchone() == (len(alive),)
    raw.close()
    with Index.open(path) as index:
        found = index.query(MultiVector(query), limit=100).hits
        expected = reference(query, alive, kept[0], keep)
        assert {hit.id for hit in found} == set(alive)
        assert [hit.score for hit in found] == pytest.approx([s for _, s in expected], abs=2e-6)


def test_a_refused_batch_leaves_none(filled, tmp_path):
    index, _, tokens = filled
    with pytest.raises(InputError, match="the id 5 is in the index already"):
        index.add(vectors=np.ones((2, 32)), ids=[99, 5], token_vectors=[np.ones((3, DIM))] * 2)
    with sqlite3.connect(tmp_path / "v.db") as raw:
        assert raw.execute("SELECT count(*) FROM token_vectors").fetchone() == (len(tokens),)
    raw.close()


def test_a_resliced_index_has_them_too(filled, tmp_path):
    index, _, tokens = filled
    index.delete([2, 3])
    with reslice_index(tmp_path / "v.db", tmp_path / "small.db", 16) as small:
        assert small.token_slice == Slice(DIM, 8)
        query = token_vectors(9, 4)
        left = {n: rows for n, rows in tokens.items() if n not in (2, 3)}
        same(small.query(MultiVector(query), limit=40).hits, reference(query, left))


@pytest.mark.parametrize("kept", [(24, 4), (12, 8), (12, 4), (8, 1)])
def test_a_resliced_index_has_them_cut(vector_index, tmp_path, kept):
    """As if what 8 bits make of them had been brought to an index of the smaller slice."""
    large, whole = vector_index(32), vector_index(32, name="w.db")
    large.create_token_index(DIM, matryoshka_dims=[8, 12, DIM])
    whole.create_token_index(DIM, matryoshka_dims=[8, 12, DIM], slice=kept)
    tokens = [token_vectors(seed, 5) for seed in range(20)]
    # A token that has no direction in what is kept is left out, and then perhaps the document.
    tokens[3][:, :12] = 0
    tokens[4][0, :12] = 0
    large.add(vectors=np.ones((20, 32)), token_vectors=tokens)
    rounded = [eight_bits(rows, DIM) for rows in tokens]
    some = [rows[rows[:, : kept[0]].any(axis=1)] for rows in rounded]
    whole.add(vectors=np.ones((20, 32)), token_vectors=[r if len(r) else None for r in some])
    query = MultiVector(token_vectors(99, 5))
    with reslice_index(tmp_path / "v.db", tmp_path / "s.db", 16, token_slice=Slice(*kept)) as small:
        assert small.token_slice == Slice(*kept)
        found = {hit.id: hit.score for hit in small.query(query, limit=50).hits}
    expected = {hit.id: hit.score for hit in whole.query(query, limit=50).hits}
    assert len(found) == (20 if kept[0] == DIM else 19)
    assert found == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(
    ("kept", "error", "message"),
    [
        ((24, 16), SliceError, "24x16 cannot be cut from token vectors kept as 24x8"),
        ((12, 8), UntrainedDimError, "trained sizes 24"),
    ],
)
def test_what_cannot_be_cut_leaves_no_file(filled, tmp_path, kept, error, message):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error, match=message):
        reslice_index(tmp_path / "v.db", tmp_path / "s.db", 16, token_slice=Slice(*kept))
    filled[0].delete_token_index()
    with pytest.raises(InputError, match="keeps no token vectors"):
        reslice_index(tmp_path / "v.db", tmp_path / "s.db", 16, token_slice=Slice(24, 8))
    assert sorted(tmp_path.iterdir()) == before


def test_a_deleted_token_index_is_gone(filled):
    index, _, _ = filled
    index.delete_token_index()
    assert index.token_slice is None
    with pytest.raises(InputError, match="keeps no token vectors: make room"):
        index.query(MultiVector(np.ones((1, DIM))))
    index.create_token_index(8)
    index.create_token_index(8)
    assert index.query(MultiVector(np.ones((1, 8)))).hits == []
    with pytest.raises(InputError, match="keeps token vectors as 8x8 of 8 dimensions already"):
        index.create_token_index(DIM)


@pytest.mark.parametrize("change", ["zeroblob(length(record))", "x''", "substr(record, 2)", "7"])
def test_damage_is_named(filled, tmp_path, change):
    index, vectors, _ = filled
    index.close()
    with sqlite3.connect(tmp_path / "v.db") as raw:
        raw.execute(f"UPDATE token_vectors SET record = {change} WHERE row = 6")
    raw.close()
    with Index.open(tmp_path / "v.db") as index:
        with pytest.raises(IndexFileError, match="token vectors of document 6 are damaged"):
            index.query(MultiVector(np.ones((1, DIM))))
        # Another document's are read without it.
        few = {"must": [{"has_id": [7]}]}
        assert len(index.query(MultiVector(np.ones((1, DIM))), filter=few).hits) == 1
        assert len(index.search(vectors[0])) == 10
        index.delete([6])
        assert len(index.query(MultiVector(np.ones((1, DIM))), limit=40).hits) == 29
