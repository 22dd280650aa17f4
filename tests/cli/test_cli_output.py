"""What is printed of documents that anybody may have written."""

import io
import json
import sys

import numpy as np
import pytest

from edge_mrl.cli.arguments import checked_corpus
from edge_mrl.cli.main import main
from edge_mrl.index import Index

CONTROLS = set(map(chr, [*range(32), *range(127, 160)])) - {"\n"}


@pytest.fixture
def built(tmp_path):
    """An index with a document that would clear the screen, and one with half a character."""
    path = tmp_path / "i.db"
    with Index.create(path, dim=2, matryoshka_dims=[2], identity="i", model_name="m") as index:
        index.add(
            ["a\x1b[2Jb\r\nc\x9b", "häron"],
            vectors=np.eye(2),
            ids=["\x1b]0;title\x07", 2],
            metadata=[{"kind": "\x1b[31m"}, {"half": "\ud800", "ä": 1}],
        )
    return path


def test_documents_do_not_steer_the_terminal(built, capsys):
    query = json.dumps({"query": [1, 1]})
    assert main(["search", str(built), "--query", query]) == 0
    grouped = json.dumps({"query": [1, 1], "group_by": "kind"})
    assert main(["search", str(built), "--query", grouped]) == 0
    out = capsys.readouterr().out
    assert "a�[2Jb c�" in out
    assert main(["get", str(built), "\x1b]0;title\x07"]) == 0
    line = capsys.readouterr().out
    assert json.loads(line)["text"] == "a\x1b[2Jb\r\nc\x9b"
    assert main(["search", str(built), "--query", query, "--json"]) == 0
    answer = capsys.readouterr().out
    assert "a\x1b[2Jb\r\nc\x9b" in {hit["text"] for hit in json.loads(answer)["hits"]}
    for printed in (out, line, answer):
        assert not CONTROLS & set(printed)


def test_names_in_a_file_do_not_steer_the_terminal(tmp_path, capsys):
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"_id": 1, "text": "a", "to\\u001b[2Jpic\\u009b": 2}\n')
    checked_corpus(path)
    said = capsys.readouterr().err
    assert "to�[2Jpic�" in said
    assert not CONTROLS & set(said)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_every_answer_can_be_printed(built, monkeypatch, encoding):
    query = json.dumps({"query": [1, 1]})
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
    assert main(["search", str(built), "--query", query, "--json"]) == 0
    sys.stdout.flush()
    hits = {hit["id"]: hit for hit in json.loads(written.getvalue())["hits"]}
    assert hits[2]["text"] == "häron"
    assert hits[2]["metadata"] == {"half": "\ud800", "ä": 1}
    written.seek(0)
    assert main(["search", str(built), "--query", query]) == 0
    sys.stdout.flush()
    expected = "häron" if encoding == "utf-8" else "h?ron"
    assert expected in written.getvalue().decode(encoding)
