"""The doctor on this machine, and on engines that are broken in the ways that real ones are."""

import hashlib
import json
import os
import sys

import pytest

from edge_mrl import doctor
from edge_mrl.cli.main import main

BROKEN = {
    "dies of an illegal instruction": (
        "import os, signal; os.kill(os.getpid(), signal.SIGILL)",
        "the process died: Illegal instruction",
    ),
    "lacks a library": (
        "raise ImportError('libatomic.so.1: cannot open shared object file')",
        "ImportError: libatomic.so.1: cannot open shared object file",
    ),
}


def findings(bundle=None):
    return {finding.name: finding for finding in doctor.examine(bundle)}


def test_this_machine_is_well(static_bundle):
    found = findings(static_bundle)
    assert {"machine", "python", "kernel", "sqlite", "disk", "clock", "engine onnx"} <= set(found)
    assert "full-text search" in found["sqlite"].detail
    assert found["engine onnx"].detail.startswith("onnxruntime 1.")
    for name in ("table-int8-256", "table-int8-64", "onnx-int8-portable"):
        assert found[f"variant {name}"].ok
        assert "cosine 0.9999" in found[f"variant {name}"].detail


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_engine_becomes_advice(case, tmp_path, monkeypatch):
    body, detail = BROKEN[case]
    (tmp_path / "onnxruntime.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    finding = findings()["engine onnx"]
    assert finding.ok is False
    assert detail in finding.detail
    assert "pip install 'edge-mrl[onnx]'" in finding.advice


def test_a_variant_that_gives_wrong_vectors_is_found(bundle_copy, monkeypatch):
    """Two golden texts have changed places, so that the engine seems to answer something else."""
    manifest = json.loads((bundle_copy / "manifest.json").read_text())
    golden = json.loads((bundle_copy / "golden.json").read_text())
    first, other = golden["golden"][0], golden["golden"][6]
    first["text"], other["text"] = other["text"], first["text"]
    content = json.dumps(golden).encode()
    (bundle_copy / "golden.json").write_bytes(content)
    for entry in manifest["files"]:
        if entry["path"] == "golden.json":
            entry |= {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (bundle_copy / "manifest.json").write_text(json.dumps(manifest))
    finding = findings(bundle_copy)["variant table-int8-256"]
    assert finding.ok is False
    assert "wrong vectors" in finding.detail


def test_the_command_prints_one_line_each_and_one_object(capsys):
    assert main(["doctor"]) == 0
    assert any(line.startswith("ok     sqlite") for line in capsys.readouterr().out.splitlines())
    assert main(["doctor", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"name", "ok", "detail", "advice"} == set(document["findings"][0])
