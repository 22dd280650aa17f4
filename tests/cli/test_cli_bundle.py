"""Bundles on the command line: export, inspect, verify."""

import json
import shutil

from edge_mrl.cli.main import main
from tests.cli.running import run_json


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


def test_verify_names_what_the_manifest_does_not_list(capsys, static_bundle, tmp_path):
    assert run_json(capsys, "verify", static_bundle)["unlisted"] == []
    copy = tmp_path / "copy"
    shutil.copytree(static_bundle, copy)
    (copy / "notes.txt").write_text("mine")
    (copy / "onnx" / "more").mkdir()
    (copy / "onnx" / "more" / "model.onnx").write_bytes(b"x")
    (copy / "onnx" / "passwd").symlink_to("/etc/passwd")
    extra = ["notes.txt", "onnx/more/model.onnx", "onnx/passwd"]
    assert run_json(capsys, "verify", copy)["unlisted"] == extra
    assert main(["verify", str(copy)]) == 0
    assert f"never checked or read: {', '.join(extra)}" in capsys.readouterr().out


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
