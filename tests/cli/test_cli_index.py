"""An index from build to reslice on the command line, over a real bundle."""

import json

import pytest

from edge_mrl.cli.main import main
from edge_mrl.index import default_layout
from tests.cli.running import fails, run_json


def test_build_then_search_without_naming_the_bundle(capsys, built):
    hits = run_json(capsys, "search", built, "zip an archive")["hits"]
    assert hits[0] == {
        "id": "gzip",
        "score": pytest.approx(hits[0]["score"]),
        "text": "Compression Compress a file with gzip.",
        "metadata": {"title": "Compression", "kind": "how-to"},
    }
    assert [hit["id"] for hit in hits] != []
    assert {hit["id"] for hit in hits} == {"gzip", "heron", 3}
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)


def test_search_prints_lines_for_people(capsys, built):
    capsys.readouterr()
    assert main(["search", str(built), "a bird", "-k", "1"]) == 0
    assert "heron" in capsys.readouterr().out


def test_index_and_bundle_may_move_together(capsys, static_bundle, corpus, tmp_path):
    import shutil

    old, new = tmp_path / "old", tmp_path / "new"
    shutil.copytree(static_bundle, old / "bundle")
    assert (
        main(["build", str(old / "i.db"), "--bundle", str(old / "bundle"), "--input", str(corpus)])
        == 0
    )
    old.rename(new)
    assert run_json(capsys, "search", new / "i.db", "a bird", "-k", 1)["hits"][0]["id"] == "heron"


def test_a_bundle_that_moved_away_can_be_named(capsys, built, static_bundle, bundle_copy):
    again = run_json(capsys, "search", built, "a bird", "--bundle", bundle_copy)
    assert again["hits"][0]["id"] == "heron"


def test_add_and_upsert(capsys, built, tmp_path):
    more = tmp_path / "more.jsonl"
    more.write_text('{"_id": "owl", "text": "The owl hunts at night."}\n')
    assert run_json(capsys, "add", built, "--input", more)["documents"] == 4
    assert "'owl' is in the index already" in fails(capsys, "add", built, "--input", more)
    more.write_text(
        '{"_id": "owl", "text": "A tawny owl calls."}\n{"_id": "new", "text": "New."}\n'
    )
    assert run_json(capsys, "add", built, "--input", more, "--upsert")["documents"] == 5
    hits = run_json(capsys, "search", built, "tawny owl", "-k", 1)["hits"]
    assert hits[0]["text"] == "A tawny owl calls."


def test_documents_are_shown_and_deleted_by_id(capsys, built, tmp_path):
    capsys.readouterr()
    assert main(["get", str(built), "3", "heron"]) == 0
    shown = capsys.readouterr().out
    assert [json.loads(line)["_id"] for line in shown.splitlines()] == [3, "heron"]
    found = run_json(capsys, "get", built, "gzip")["documents"]
    assert found[0]["text"] == "Compression Compress a file with gzip."
    assert found[0]["metadata"] == {"title": "Compression", "kind": "how-to"}
    assert "no document 'nobody'" in fails(capsys, "get", built, "heron", "nobody")
    assert run_json(capsys, "delete", built, "3", "nobody") == {
        "index": str(built),
        "deleted": 1,
        "documents": 2,
    }
    assert "no document 3" in fails(capsys, "get", built, "3")
    again = tmp_path / "again.jsonl"
    again.write_text(shown)  # what `get` prints can be added
    assert run_json(capsys, "add", built, "--input", again, "--upsert")["documents"] == 3


def test_an_id_is_the_text_where_a_document_has_it(capsys, built, tmp_path):
    more = tmp_path / "more.jsonl"
    more.write_text('{"_id": "3", "text": "the text three"}\n')
    assert main(["add", str(built), "--input", str(more)]) == 0
    assert run_json(capsys, "delete", built, "3")["deleted"] == 1
    assert run_json(capsys, "get", built, "3")["documents"][0]["_id"] == 3


def test_fields_that_are_not_read_are_said(capsys, built, tmp_path):
    more = tmp_path / "more.jsonl"
    more.write_text('{"_id": "x", "text": "x", "kind": "bird"}\n')
    capsys.readouterr()
    assert main(["add", str(built), "--input", str(more)]) == 0
    assert "fields that are not read: kind; " in capsys.readouterr().err


def test_an_add_that_stops_says_what_stays(capsys, built, tmp_path, monkeypatch):
    more = tmp_path / "more.jsonl"
    more.write_text("".join(f'{{"_id": "n{n}", "text": "note {n}"}}\n' for n in range(5)))

    def stops(index, records, *, upsert, on_progress):
        index.add(["note 0"], ids=["n0"])
        on_progress(1)
        raise KeyboardInterrupt

    monkeypatch.setattr("edge_mrl.index.Index.add_stream", stops)
    assert main(["add", str(built), "--input", str(more)]) == 130
    *_, stays, last = capsys.readouterr().err.splitlines()
    assert stays == (
        "edge-mrl: the first 1 of 5 are in the index and stay: --upsert goes through the file again"
    )
    assert last == "edge-mrl: interrupted"


def test_build_json_says_what_was_made(capsys, static_bundle, corpus, tmp_path):
    made = run_json(
        capsys,
        *("build", tmp_path / "p.db", "--bundle", static_bundle, "--input", corpus),
        *("--profile", "raspberry-pi-zero-2w"),
    )
    assert made["documents"] == 3
    assert made["stored"].endswith("x8")
    assert made["bytes"] == (tmp_path / "p.db").stat().st_size


def test_stats_optimize_and_reslice(capsys, built, static_bundle, tmp_path):
    stats = run_json(capsys, "stats", built)
    assert (stats["documents"], stats["stored"]) == (3, "256x8")
    assert stats["scan"] == str(default_layout(256, [64, 128, 256]).scan)
    assert stats["expected_recall"] is None
    assert main(["stats", str(built)]) == 0
    shown = capsys.readouterr().out
    assert "3 documents" in shown
    assert "not measured" in shown
    assert run_json(capsys, "optimize", built)["documents"] == 3
    assert main(["optimize", str(built)]) == 0
    small = tmp_path / "small.db"
    arguments = ["reslice", built, "--dim", 64, "--scan", "64x2", "-o", small]
    made = run_json(capsys, *arguments)
    assert (made["documents"], made["stored"], made["scan"]) == (3, "64x8", "64x2")
    # The model is found from the note that was carried over.
    assert run_json(capsys, "search", small, "gzip a file", "-k", 1)["hits"][0]["id"] == "gzip"
    assert "--overwrite" in fails(capsys, *arguments)
    assert main([*map(str, arguments), "--overwrite"]) == 0
    assert "64, 128, 256" in fails(capsys, "reslice", built, "--dim", 100, "-o", tmp_path / "x.db")
    assert "no index" in fails(capsys, "stats", tmp_path / "none.db")
