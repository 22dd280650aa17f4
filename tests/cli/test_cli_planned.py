"""Plans, memory budgets and slices chosen by hand, on the command line."""

import pytest

from edge_mrl.cli.main import main
from tests.cli.running import fails, run_json


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
    assert found["plans"][0]["documents"] == 3
    said = fails(capsys, "plan", static_bundle, "--profile", "laptop")
    assert "--docs N, --input FILE or --index FILE" in said


def test_plan_reads_a_corpus(capsys, corpus, static_bundle):
    asked = ["plan", static_bundle, "--profile", "raspberry-pi-5", "--input", corpus]
    (plan,) = run_json(capsys, *asked)["plans"]
    assert plan["documents"] == 3
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
