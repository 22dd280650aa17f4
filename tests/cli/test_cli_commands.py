"""The commands as a user runs them, in one process, on a real bundle."""

import json
import subprocess
import sys

import pytest

import edge_mrl
from edge_mrl.cli.main import main
from edge_mrl.cli.registry import COMMANDS
from edge_mrl.index import default_layout

CORPUS = [
    {
        "_id": "gzip",
        "title": "Compression",
        "text": "Compress a file with gzip.",
        "metadata": {"kind": "how-to"},
    },
    {"_id": "heron", "text": "The heron waits in the reeds."},
    {"_id": 3, "text": "Parse a date from text with strptime."},
]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in CORPUS))
    return path


@pytest.fixture
def built(static_bundle, corpus, tmp_path):
    place = tmp_path / "i.db"
    assert main(["build", str(place), "--bundle", str(static_bundle), "--input", str(corpus)]) == 0
    return place


def run_json(capsys, *arguments):
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def fails(capsys, *arguments):
    """The one sentence of a refused command."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    # An export names its steps before.
    *steps, line = captured.err.splitlines()
    assert all(step.startswith("[") for step in steps)
    assert line.startswith("edge-mrl: ")
    return line


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for command in COMMANDS:
        assert f"  {command.name}" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serch", "x.db"], "there is no command 'serch' (did you mean search?)"),
        (["frobnicate"], "there is no command 'frobnicate'; `edge-mrl --help`"),
        (["--nothing"], "unrecognized arguments: --nothing"),
        (["build", "x.db"], "edge-mrl build: one of the arguments --input --vectors is required"),
        (["search", "x.db", "x", "--threads", "0"], "'0' is not a whole number from 1 on"),
        (["plan", "b", "--docs", "many"], "'many' is not a whole number from 0 on"),
    ],
)
def test_wrong_arguments_get_one_line(capsys, arguments, said):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert said in captured.err and "--help` says what it takes" in captured.err


def test_a_reader_that_has_gone_is_no_error():
    command = f"{sys.executable} -m edge_mrl profiles | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_forgotten_requirement_is_named():
    without = (
        "import sys; sys.modules['numpy'] = None; "
        "from edge_mrl.cli.main import main; sys.exit(main(['build', 'x.db']))"
    )
    done = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True)
    assert done.returncode == 2 and "`pip install numpy`" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_has_help(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"edge-mrl {command}" in capsys.readouterr().out


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "edge_mrl", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"edge-mrl {edge_mrl.__version__}\n"


def test_no_command_prints_the_help(capsys):
    assert main([]) == 0
    assert "COMMAND" in capsys.readouterr().out


def test_an_unknown_command_is_refused():
    with pytest.raises(SystemExit) as ended:
        main(["serach"])
    assert ended.value.code == 2


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


def test_inspect_prints_the_manifest(capsys, static_bundle):
    manifest = run_json(capsys, "inspect", static_bundle)
    assert manifest == json.loads((static_bundle / "manifest.json").read_text())
    assert main(["inspect", str(static_bundle)]) == 0
    shown = capsys.readouterr().out
    assert "64, 128, 256" in shown
    assert "256x1" in shown


def test_verify_runs_every_variant(capsys, static_bundle):
    result = run_json(capsys, "verify", static_bundle)
    assert [row["ran"] for row in result["variants"]] == [True] * 4
    assert min(row["cosine"] for row in result["variants"]) > 0.9999
    assert main(["verify", str(static_bundle)]) == 0


def test_export_prints_one_object(capsys, few_texts, tmp_path):
    report = run_json(
        capsys,
        "export",
        "wordllama",
        "-o",
        tmp_path / "b",
        "--dims",
        "64,128",
        "--formats",
        "table",
        "--texts",
        few_texts,
    )
    assert report["matryoshka_dims"] == [64, 128]
    assert all(variant["passed"] for variant in report["variants"])


# Bad input: one sentence, exit code 2, nothing left behind.


def test_a_missing_bundle(capsys, corpus, tmp_path):
    line = fails(capsys, "build", tmp_path / "x.db", "--bundle", tmp_path / "no", "--input", corpus)
    assert "no bundle" in line
    assert not (tmp_path / "x.db").exists()


def test_a_missing_model_folder(capsys, tmp_path):
    assert "no model folder" in fails(capsys, "export", tmp_path / "no", "-o", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_folder_that_is_no_model(capsys, tmp_path):
    (tmp_path / "m").mkdir()
    assert "modules.json" in fails(capsys, "export", tmp_path / "m", "-o", tmp_path / "b")


def test_an_empty_corpus(capsys, static_bundle, tmp_path):
    (tmp_path / "c").write_text("")
    arguments = ["build", tmp_path / "x.db", "--bundle", static_bundle, "--input", tmp_path / "c"]
    assert "empty" in fails(capsys, *arguments)
    assert not (tmp_path / "x.db").exists()


def test_a_line_that_is_not_json_adds_nothing(capsys, built, tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"_id": "n1", "text": "fine"}\nnot json\n')
    assert "line 2" in fails(capsys, "add", built, "--input", bad)
    assert len(run_json(capsys, "search", built, "fine")["hits"]) == 3


def test_an_unknown_profile_offers_the_nearest(capsys, static_bundle, corpus, tmp_path):
    line = fails(
        capsys,
        *("build", tmp_path / "x.db", "--bundle", static_bundle, "--input", corpus),
        *("--profile", "rasberry-pi-5"),
    )
    assert "raspberry-pi-5" in line


def test_a_truncated_bundle_file(capsys, built, bundle_copy):
    file = bundle_copy / "table" / "int8-256.rows.npy"
    file.write_bytes(file.read_bytes()[:1000])
    line = fails(capsys, "search", built, "x", "--bundle", bundle_copy)
    assert "int8-256.rows.npy has 1000 bytes" in line


def test_another_model_is_refused_by_both_names(capsys, built, few_texts, tmp_path):
    arguments = ["--dims", "64", "--formats", "table", "--texts", str(few_texts)]
    assert main(["export", "wordllama", "-o", str(tmp_path / "b64"), *arguments]) == 0
    line = fails(capsys, "search", built, "x", "--bundle", tmp_path / "b64")
    assert line.count("wordllama-l2-supercat") == 2


def test_an_existing_index_is_not_overwritten_unasked(capsys, built, static_bundle, corpus):
    before = built.read_bytes()
    arguments = ["build", built, "--bundle", static_bundle, "--input", corpus]
    assert "--overwrite" in fails(capsys, *arguments)
    assert built.read_bytes() == before
    assert main([*map(str, arguments), "--overwrite"]) == 0


def test_a_missing_index(capsys, tmp_path):
    assert "no index" in fails(capsys, "search", tmp_path / "none.db", "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("k", ["0", "-1"])
def test_k_must_be_positive(capsys, built, k):
    assert "k must be" in fails(capsys, "search", built, "x", "-k", k)


@pytest.mark.parametrize("dims", ["64,64", "128,64"])
def test_sizes_must_rise(capsys, tmp_path, dims):
    line = fails(capsys, "export", "wordllama", "-o", tmp_path / "b", "--dims", dims)
    assert "must rise, each named once" in line


def test_bad_dims(capsys, tmp_path):
    assert "64,128,256" in fails(
        capsys, "export", "wordllama", "-o", tmp_path / "b", "--dims", "a,b"
    )


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


def test_a_profile_decides_slices_and_is_obeyed_afterwards(capsys, static_bundle, corpus, tmp_path):
    place = tmp_path / "planned.db"
    made = run_json(
        capsys, "build", place, "--bundle", static_bundle, "--input", corpus, "--profile", "laptop"
    )
    plan = made["plan"]
    assert (plan["device"], plan["scan_home"]) == ("laptop", "ram")
    assert (made["stored"], made["scan"]) == (plan["stored"], plan["scan"])
    stats = run_json(capsys, "stats", place, "--profile", "raspberry-pi-zero-2w")
    assert stats["plan"]["device"] == "raspberry-pi-zero-2w"
    assert stats["plan"]["stored"] == made["stored"]
    hits = run_json(capsys, "search", place, "zip a file", "--profile", "laptop")["hits"]
    assert hits[0]["id"] == "gzip"
    added = run_json(capsys, "add", place, "--input", corpus, "--upsert", "--profile", "laptop")
    assert added["plan_changes"] == []


def test_a_memory_budget_never_changes_the_hits(capsys, built):
    free = run_json(capsys, "search", built, "a bird in the reeds")
    assert run_json(capsys, "search", built, "a bird in the reeds", "--memory-budget", 0) == free
    with pytest.raises(SystemExit):
        main(["search", str(built), "x", "--memory-budget", "much"])
    assert "not a number of MiB" in capsys.readouterr().err


def test_plan_reads_an_index_that_exists(capsys, built, static_bundle):
    found = run_json(capsys, "plan", static_bundle, "--profile", "raspberry-pi-5", "--index", built)
    assert found["plans"][0]["documents"] == len(CORPUS)
    said = fails(capsys, "plan", static_bundle, "--profile", "laptop")
    assert "--docs N, --input FILE or --index FILE" in said


def test_plan_reads_a_corpus(capsys, corpus, static_bundle):
    asked = ["plan", static_bundle, "--profile", "raspberry-pi-5", "--input", corpus]
    (plan,) = run_json(capsys, *asked)["plans"]
    assert plan["documents"] == len(CORPUS)
    (larger,) = run_json(capsys, *asked, "--id-bytes", 400)["plans"]
    assert larger["index_file_bytes"] > plan["index_file_bytes"] + 3 * 2 * 390


def test_the_codes_of_a_new_index_are_chosen_by_hand(capsys, static_bundle, corpus, tmp_path):
    place = tmp_path / "chosen.db"
    build = ["build", place, "--bundle", static_bundle, "--input", corpus, "--overwrite"]
    made = run_json(capsys, *build, "--scan", "128x1", "--refine", "256x2", "--profile", "laptop")
    assert (made["stored"], made["scan"], made["refine"]) == ("256x8", "128x1", "256x2")
    assert (made["plan"]["scan"], made["plan"]["refine"]) == ("128x1", "256x2")
    assert run_json(capsys, "search", place, "zip a file")["hits"][0]["id"] == "gzip"
    made = run_json(capsys, *build, "--scan", "64x4")
    assert (made["scan"], made["refine"]) == ("64x4", None)
    before = place.read_bytes()
    assert "64, 128, 256" in fails(capsys, *build, "--scan", "100x1")
    assert "tells no more" in fails(capsys, *build, "--scan", "256x2", "--refine", "256x1")
    assert place.read_bytes() == before
