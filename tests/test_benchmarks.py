"""Benchmarks run and report what they promise; their times are not judged here."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run_json(module, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_encode_compares_with_the_library_and_the_bare_engine(static_bundle):
    result = run_json("benchmarks.encode", static_bundle, "--rounds", 3)
    assert {"processor", "python", "numpy"} <= set(result["machine"])
    measured = {(row["variant"], row["what"], row["tokens"]) for row in result["rows"]}
    for tokens in (16, 256):
        assert ("table-int8-256", "wordllama library", tokens) in measured
        assert ("onnx-int8-portable", "bare engine and tokenizer", tokens) in measured
    assert all(row["us"] > 0 and row["ratio"] > 0 for row in result["rows"])
