"""The doctor on this machine, and on engines that are broken in the ways that real ones are."""

import hashlib
import json
import os
import sqlite3
import sys

import pytest

from edge_mrl import doctor, kernel
from edge_mrl.bundle.seal import sealed
from edge_mrl.cli.main import main
from edge_mrl.planning import list_profiles
from edge_mrl.profiles.wheels import why_no_wheel

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


def test_the_scan_is_tried_for_real():
    finding = doctor._kernel()
    assert finding.ok and finding.detail.startswith(kernel.info().name)


def test_a_scan_that_answers_otherwise_is_found(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import edge_mrl.kernel as kernel\n"
        "class Wrong(type(kernel.available()['numpy'])):\n"
        "    def scan(self, query, blocks, keep):\n"
        "        found = super().scan(query, blocks, keep)\n"
        "        return type(found)(found.positions[::-1], found.scores)\n"
        "kernel.current = Wrong\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    finding = doctor._kernel()
    assert finding.ok is False and "answers otherwise than numpy" in finding.detail
    assert "EDGE_MRL_KERNEL=numpy" in finding.advice


def test_a_python_without_full_text_search_is_told_what_to_do(monkeypatch):
    class Bare(sqlite3.Connection):
        def execute(self, sql, *rest):
            if "fts5" in sql:
                raise sqlite3.OperationalError("no such module: fts5")
            return super().execute(sql, *rest)

    real = sqlite3.connect
    monkeypatch.setattr(doctor.sqlite3, "connect", lambda place: real(place, factory=Bare))
    finding = doctor._sqlite()
    assert finding.ok is False
    assert "without full-text search" in finding.detail and "Python" in finding.advice


def test_more_threads_than_cores_are_found(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4096")
    finding = doctor._threads()
    assert finding.ok is False and "OMP_NUM_THREADS=4096" in finding.detail


@pytest.mark.parametrize(
    ("engine", "machine", "libc", "python", "said"),
    [
        # Read off the package index: see edge_mrl/profiles/wheels.py.
        ("onnxruntime", "aarch64", "glibc 2.36", "3.13", None),
        ("onnxruntime", "armv7l", "glibc 2.36", "3.11", "no wheel of onnxruntime for armv7l"),
        ("ai-edge-litert", "aarch64", "musl 1.2", "3.11", "without glibc"),
        ("tflite-runtime", "armv7l", "glibc 2.36", "3.11", None),
        ("tflite-runtime", "armv7l", "glibc 2.31", "3.11", "need glibc 2.34, here is 2.31"),
        ("tflite-runtime", "armv7l", "glibc 2.41", "3.13", "for Python 3.9 to 3.11, here is 3.13"),
        ("numpy", "riscv64", "none", "3.14", None),
    ],
)
def test_which_engines_have_a_wheel(engine, machine, libc, python, said):
    found = why_no_wheel(engine, machine, libc, python)
    assert found is None if said is None else said in found


def test_profiles_name_the_engines_that_have_a_wheel_there():
    machines = {"armv7": "armv7l", "armv8": "aarch64", "x86-6": "x86_64"}
    for profile in list_profiles():
        facts = profile.facts
        if facts.python == "none":
            continue  # an application brings its engines along
        machine = machines[facts.isa[:5]]
        for engine in facts.engines:
            assert why_no_wheel(engine, machine, facts.libc, facts.python) is None, profile.name


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
    (bundle_copy / "manifest.json").write_bytes(sealed(manifest))
    finding = findings(bundle_copy)["variant table-int8-256"]
    assert finding.ok is False
    assert finding.detail.startswith("variant 'table-int8-256' gives wrong vectors")
    assert finding.advice == ""  # the sentence says what to do


def test_the_command_prints_one_line_each_and_one_object(capsys):
    assert main(["doctor"]) == 0
    assert any(line.startswith("ok     sqlite") for line in capsys.readouterr().out.splitlines())
    assert main(["doctor", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"name", "ok", "detail", "advice"} == set(document["findings"][0])


def test_a_variant_without_its_engine_is_no_fault_while_another_runs(static_bundle, monkeypatch):
    monkeypatch.setattr(doctor, "available", lambda variant: variant.format == "table")
    found = findings(static_bundle)
    portable = found["variant onnx-int8-portable"]
    assert (portable.ok, portable.detail) == (None, "needs onnxruntime")
    assert found["variant table-int8-256"].ok
    monkeypatch.setattr(doctor, "available", lambda variant: False)
    assert findings(static_bundle)["variant table-int8-256"].ok is False
