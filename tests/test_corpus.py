"""Corpora: good ones are read, bad ones are named by line before anything is used."""

import json

import pytest

from edge_mrl.corpus import Corpus
from edge_mrl.errors import CorpusError
from edge_mrl.json_lines import MAX_LINE_BYTES


def write(path, *lines):
    path.write_text("".join(line + "\n" for line in lines))
    return path


def test_title_comes_before_text_and_stays_in_the_metadata(tmp_path):
    line = json.dumps({"_id": "a", "title": "T", "text": "body", "metadata": {"n": 1}})
    corpus = Corpus.check(write(tmp_path / "c", line, "", '{"_id": 7, "text": "x"}'))
    first, second = corpus.records()
    assert (first.id, first.text, first.metadata) == ("a", "T body", {"title": "T", "n": 1})
    assert (second.id, second.text, second.metadata) == (7, "x", {})
    assert corpus.count == 2
    # "T body" and {"title":"T","n":1}, then "x" and {}; one byte for each id.
    assert (corpus.text_bytes, corpus.id_bytes) == ((6 + 19 + 1 + 2) / 2, 1)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not valid JSON"),
        ("[1]", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ('{"text": "x"}', "'_id'"),
        ('{"_id": true, "text": "x"}', "'_id'"),
        ('{"_id": 1.5, "text": "x"}', "'_id'"),
        ('{"_id": "b"}', "'text'"),
        ('{"_id": "b", "text": 1}', "'text'"),
        ('{"_id": "b", "text": "x", "title": 3}', "'title'"),
        ('{"_id": "b", "text": "x", "metadata": []}', "'metadata'"),
        ('{"_id": "a", "text": "x"}', "line 1 already"),
        ("[" * 100_000, "not valid JSON"),
        ('{"_id": "b", "text": "x\\ud800"}', "the text holds a lone surrogate at character 1"),
        ('{"_id": "\\ud800", "text": "x"}', "lone surrogate"),
        ('{"_id": 9223372036854775808, "text": "x"}', "does not fit into 64 bits"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path, line, words):
    path = write(tmp_path / "c", '{"_id": "a", "text": "fine"}', "", line)
    with pytest.raises(CorpusError, match=f"line 3.*{words}"):
        Corpus.check(path)


def test_ids_that_only_hash_alike_are_not_the_same(tmp_path):
    # Python gives these two numbers one hash.
    lines = [json.dumps({"_id": number, "text": "x"}) for number in (7, 7 + 2**61 - 1)]
    assert hash(7) == hash(7 + 2**61 - 1)
    assert Corpus.check(write(tmp_path / "c", *lines)).count == 2


def test_an_empty_corpus_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="empty"):
        Corpus.check(write(tmp_path / "c", "", "  "))


def test_a_missing_corpus_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="no corpus"):
        Corpus.check(tmp_path / "c")


def test_a_line_without_end_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "c"
    with path.open("wb") as stream:
        stream.truncate(MAX_LINE_BYTES + 10)
    with pytest.raises(CorpusError, match="longer than 16 MiB"):
        Corpus.check(path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "c"
    path.write_bytes(b'{"_id": "a", "text": "\xff"}\n')
    with pytest.raises(CorpusError, match="line 1"):
        Corpus.check(path)


def test_fields_that_are_not_read_are_named(tmp_path):
    lines = ['{"_id": 1, "text": "x", "url": "u"}', '{"_id": 2, "text": "y", "kind": "bird"}']
    assert Corpus.check(write(tmp_path / "c", *lines)).unused == ("kind", "url")
    assert Corpus.check(write(tmp_path / "d", '{"_id": 1, "text": "x"}')).unused == ()
