"""BM25 against FTS5's own, and a lexical index that stays in step with its documents."""

import sqlite3

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from edge_mrl.errors import IndexFileError, InputError
from edge_mrl.index import Index
from edge_mrl.index.companions import lexical
from edge_mrl.retrieval import Lexical

WORDS = ["heron", "reeds", "gzip", "file", "files", "Übung", "bread", "bake", "the", "a", "x1"]
TEXTS = st.lists(
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), min_size=1, max_size=30
)


def vectors(count):
    return np.ones((count, 32))


def found(index, query, **options):
    asked = Lexical(query, **options) if isinstance(query, str) else query
    return [(hit.id, hit.score) for hit in index.query(asked, limit=100).hits]


def fts5s_own(index, words):
    """What SQLite computes for any of the words."""
    expression = " OR ".join(f'"{word}"' for word in words)
    rows = index._store.connection.execute(
        "SELECT coalesce(d.id, d.row), -bm25(lexical) "
        "FROM lexical JOIN documents d ON d.row = lexical.rowid WHERE lexical MATCH ?",
        (expression,),
    ).fetchall()
    return sorted(rows, key=lambda pair: (-pair[1], pair[0]))


@given(texts=TEXTS, asked=st.lists(st.sampled_from(WORDS), min_size=1, max_size=5, unique=True))
@settings(max_examples=40, deadline=None)
def test_scores_are_those_of_fts5(tmp_path_factory, texts, asked):
    path = tmp_path_factory.mktemp("bm25") / "i.db"
    with Index.create(path, dim=32, matryoshka_dims=[32], identity="i", model_name="m") as index:
        index.create_lexical_index()
        index.add(texts, vectors=vectors(len(texts)))
        expected = fts5s_own(index, asked)
        ours = found(index, " ".join(asked))
        assert sorted(i for i, _ in ours) == sorted(i for i, _ in expected)
        by_id = dict(expected)
        assert [s for _, s in ours] == pytest.approx([by_id[i] for i, _ in ours], rel=1e-6)
        assert [s for _, s in ours] == sorted((s for _, s in ours), reverse=True)
        both = found(index, " ".join(asked), match="all")
        wanted = {word.lower() for word in asked}
        assert {i for i, _ in both} == {
            n for n, text in enumerate(texts, 1) if wanted <= set(text.lower().split())
        }


def test_long_and_empty_documents_score_as_in_fts5(vector_index):
    index = vector_index(32)
    index.create_lexical_index()
    counts = ((1, 0), (1, 126), (2, 127), (5, 200), (300, 16_100), (1, 70_000), (0, 0), (0, 3))
    texts = ["heron " * herons + "reeds " * reeds for herons, reeds in counts]
    index.add(texts, vectors=vectors(len(texts)))
    ours = dict(found(index, "heron reeds"))
    assert ours == pytest.approx(dict(fts5s_own(index, ["heron", "reeds"])), rel=1e-6)
    assert len(ours) == 7
    index.delete([2, 5])
    ours = dict(found(index, "heron reeds"))
    assert ours == pytest.approx(dict(fts5s_own(index, ["heron", "reeds"])), rel=1e-6)


def test_a_filter_holds_for_words_too(vector_index):
    index = vector_index(32)
    index.create_lexical_index()
    texts = ["the heron"] * 5 + ["gzip"] * 3 + ["heron heron reeds"] * 4
    index.add(texts, vectors=vectors(12), metadata=[{"n": n} for n in range(12)])
    index.delete([2])
    for kept in ([0, 1, 4, 5, 10], [], list(range(12)), [6]):
        filter_ = {"must": [{"key": "n", "match": {"any": kept}}]}
        hits = index.query(Lexical("heron"), filter=filter_, limit=100).hits
        every = [(i, s) for i, s in found(index, "heron") if i - 1 in kept]
        assert [(hit.id, hit.score) for hit in hits] == every
        assert len(every) == len({*kept} - {1, 5, 6, 7})


def test_it_follows_the_documents(vector_index, tmp_path):
    index = vector_index(32)
    index.add(["the heron waits", "gzip a file"], vectors=vectors(2))
    with pytest.raises(InputError, match="has no lexical index: make one with create_lexical"):
        found(index, "heron")
    assert index.lexical_index is None
    index.create_lexical_index()
    assert index.lexical_index == "unicode61"
    assert [i for i, _ in found(index, "heron")] == [1]
    index.add(["another heron"], vectors=vectors(1))
    index.upsert(["no bird at all"], vectors=vectors(1), ids=[1])
    assert [i for i, _ in found(index, "heron")] == [3]
    index.delete([3])
    assert found(index, "heron") == []
    with pytest.raises(InputError):
        index.add(["a heron", "b"], vectors=vectors(2), ids=[9, 1])
    assert found(index, "heron") == []
    index.optimize()
    assert {i for i, _ in found(index, "gzip bird")} == {1, 2}
    index._store.connection.execute(
        "INSERT INTO lexical (lexical, rank) VALUES ('integrity-check', 1)"
    )
    index.create_lexical_index("porter")
    assert {i for i, _ in found(index, "birds files")} == {1, 2}
    index.delete_lexical_index()
    index.delete_lexical_index()
    assert index.lexical_index is None
    with pytest.raises(InputError, match="one of unicode61, porter, trigram"):
        index.create_lexical_index("snowball")


@pytest.mark.parametrize(
    ("tokenizer", "query", "ids"),
    [
        ("unicode61", "ubung", [1]),
        ("unicode61", "renderings", []),
        ("porter", "renderings", [2]),
        ("trigram", "東京都", [3]),
        ("trigram", "ender", [2]),
        ("unicode61", "東京", []),
    ],
)
def test_tokenizers(vector_index, tokenizer, query, ids):
    index = vector_index(32)
    index.create_lexical_index(tokenizer)
    index.add(["Eine Übung", "rendering fonts", "私は東京都に住む"], vectors=vectors(3))
    assert [i for i, _ in found(index, query)] == ids


def test_the_last_word_may_be_a_beginning(vector_index):
    index = vector_index(32)
    index.create_lexical_index()
    texts = ["file files filing", "fills", "a file", "unrelated"]
    index.add(texts, vectors=vectors(4))
    assert {i for i, _ in found(index, "fil", prefix=True)} == {1, 2, 3}
    assert found(index, "fil") == []
    own = index._store.connection.execute(
        "SELECT rowid, -bm25(lexical) FROM lexical WHERE lexical MATCH 'a OR fil*'"
    ).fetchall()
    ours = dict(found(index, "a fil", prefix=True))
    assert ours == pytest.approx(dict(own), rel=1e-6)


HOSTILE = [
    '"', "'", "heron OR", "AND NOT (", "text:heron", "heron*", "NEAR(a b)", "^heron", "a + b",
    "\0", "heron\0gzip", "😀", "-- ; DROP TABLE documents", "{", "heron\\", "%", "\u202e", " ",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_signs_mean_nothing(vector_index, text):
    index = vector_index(32)
    index.create_lexical_index()
    index.add(["the heron waits", "gzip"], vectors=vectors(2))
    expected = {n for n, word in enumerate(("heron", "gzip"), 1) if word in text}
    assert {i for i, _ in found(index, text)} == expected


def test_a_page_of_text_may_be_asked(vector_index):
    index = vector_index(32)
    index.create_lexical_index()
    index.add(["the heron waits", "gzip"], vectors=vectors(2))
    page = " ".join(f"word{n}" for n in range(15_000))
    assert len(page) > 100_000
    assert [i for i, _ in found(index, "heron " + page)] == [1]
    assert [i for i, _ in found(index, "heron " * 20_000)] == [1]
    assert found(index, "h" * 100_000, prefix=True) == []
    with pytest.raises(InputError, match="surrogate"):
        found(index, "\ud800")


def test_expressions_are_read_only_when_asked(vector_index):
    index = vector_index(32)
    index.create_lexical_index()
    index.add(["the heron waits", "waits for a heron", "gzip"], vectors=vectors(3))
    assert [i for i, _ in found(index, '"heron waits"', syntax=True)] == [1]
    assert {i for i, _ in found(index, "waits NOT for", syntax=True)} == {1}
    for wrong in ('"', "AND", "nothing:heron", "heron\0"):
        with pytest.raises(InputError, match="FTS5 expression"):
            found(index, wrong, syntax=True)
    assert [i for i, _ in found(index, "gzip")] == [3]
    with pytest.raises(InputError, match="leave match and prefix"):
        Lexical("a", prefix=True, syntax=True)


def test_a_python_without_fts5_says_so_and_goes_on(vector_index, monkeypatch):
    index = vector_index(32)
    index.add(["a heron"], vectors=vectors(1))
    with monkeypatch.context() as patch:
        patch.setattr(lexical, "has_fts5", lambda facts: False)
        with pytest.raises(IndexFileError, match="needs FTS5"):
            index.create_lexical_index()
    index.create_lexical_index()
    monkeypatch.setattr(lexical, "has_fts5", lambda facts: False)
    for attempt in (
        lambda: index.add(["b"], vectors=vectors(1)),
        lambda: index.delete([1]),
        lambda: found(index, "heron"),
        index.delete_lexical_index,
    ):
        with pytest.raises(IndexFileError, match="needs FTS5"):
            attempt()
    assert [hit.id for hit in index.search(np.ones(32))] == [1]
    index.optimize()


def test_a_damaged_lexical_index_is_named_and_made_anew(vector_index, tmp_path):
    index = vector_index(32)
    index.create_lexical_index()
    index.add(["the heron waits"] * 50, vectors=vectors(50))
    index.close()
    with sqlite3.connect(tmp_path / "v.db") as raw:
        raw.execute("UPDATE lexical_docsize SET sz = x'ff'")
    raw.close()
    with Index.open(tmp_path / "v.db") as index:
        with pytest.raises(IndexFileError, match="create_lexical_index"):
            found(index, "heron")
        assert len(index.search(np.ones(32))) == 10
        index.create_lexical_index()
        assert len(found(index, "heron")) == 50
    with sqlite3.connect(tmp_path / "v.db") as raw:
        raw.execute("UPDATE lexical_data SET block = x'00' WHERE id > 10")
    raw.close()
    with (
        Index.open(tmp_path / "v.db") as index,
        pytest.raises(IndexFileError, match="damaged lexical index"),
    ):
        found(index, "heron")


def test_another_connection_sees_new_words(vector_index, tmp_path):
    index = vector_index(32)
    index.create_lexical_index()
    with Index.open(tmp_path / "v.db") as reader:
        assert found(reader, "heron") == []
        index.add(["the heron"], vectors=vectors(1))
        assert [i for i, _ in found(reader, "heron")] == [1]
        index.create_lexical_index("trigram")
        assert [i for i, _ in found(reader, "eron")] == [1]
