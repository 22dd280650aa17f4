"""Texts to measure on: from a user's file or from this Python's documentation."""

import json

import pytest

from edge_mrl.errors import ExportError
from edge_mrl_export.pydocs import standard_library_docs
from edge_mrl_export.sample import default_sample, make_sample, sample_from_file

REST = "It goes on for long enough to be worth finding again."


def texts(count):
    return [f"The first sentence has number {n}. {REST} Number {n}." for n in range(count)]


def test_first_sentence_asks_and_the_rest_answers():
    sample = make_sample(texts(30), "made up")
    assert sample.queries[4] == "The first sentence has number 4."
    assert sample.documents[sample.answers[4]] == f"{REST} Number 4."


def test_large_inputs_are_thinned_evenly():
    sample = make_sample(texts(5000), "made up")
    assert (len(sample.documents), len(sample.queries)) == (2000, 500)
    assert max(sample.answers) > 1900
    for query, answer in zip(sample.queries, sample.answers, strict=True):
        number = query.rsplit(maxsplit=1)[1]
        assert sample.documents[answer].endswith(f"Number {number}")


def test_repeated_texts_count_once():
    with pytest.raises(ExportError, match="gives 1 texts"):
        make_sample(texts(1) * 50, "made up")


@pytest.mark.parametrize("content", ["", "one line only\n", "short.\n" * 50])
def test_too_little_text_is_refused(tmp_path, content):
    (tmp_path / "t").write_text(content)
    with pytest.raises(ExportError, match="--texts"):
        sample_from_file(tmp_path / "t")


def test_plain_lines_and_json_lines_are_both_read(tmp_path):
    (tmp_path / "plain").write_text("\n".join(texts(25)))
    (tmp_path / "json").write_text(
        "\n".join(json.dumps({"_id": "x", "text": t}) for t in texts(25))
    )
    plain, lines = (sample_from_file(tmp_path / name) for name in ("plain", "json"))
    assert plain.documents == lines.documents


def test_a_bad_json_line_is_named(tmp_path):
    (tmp_path / "t").write_text('{"text": "fine"}\n{"text": 3}\n')
    with pytest.raises(ExportError, match="line 2"):
        sample_from_file(tmp_path / "t")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "t").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ExportError, match="not UTF-8"):
        sample_from_file(tmp_path / "t")


def test_the_standard_library_gives_thousands_of_texts():
    docs = standard_library_docs()
    names = [doc.name for doc in docs]
    assert len(docs) > 4000
    assert names == sorted(set(names))
    by_name = {doc.name: doc for doc in docs}
    assert by_name["shutil.rmtree"].text.startswith("Recursively delete a directory tree")
    assert by_name["math.sqrt"].kind == "function"
    assert by_name["json"].kind == "module"
    assert all(doc.text.strip() for doc in docs)
    assert not [name for name in names if name.startswith(("test.", "idlelib", "_"))]


def test_the_default_sample_is_the_same_every_time():
    assert standard_library_docs.__wrapped__() == standard_library_docs()
    assert default_sample.__wrapped__() == default_sample()
