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


def test_kept_pairs_each_query_with_the_reference(static_bundle, tmp_path):
    topics = ("bread and yeast", "herons in reeds", "trains on rails", "rain on windows")
    (tmp_path / "qrels").mkdir()
    for name in ("corpus", "queries"):
        lines = [json.dumps({"_id": f"{n}", "text": text}) for n, text in enumerate(topics)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    rows = [f"{n}\t{n}\t1" for n in range(3)]
    (tmp_path / "qrels" / "test.tsv").write_text("\n".join(rows))
    result = run_json("benchmarks.kept", static_bundle, tmp_path, "--reference", "table-int8-256")
    by_name = {(row["variant"], row["dim"]): row for row in result["rows"]}
    assert by_name["table-int8-256", 64]["difference"] is None
    other = by_name["onnx-int8-portable", 256]
    assert (other["ndcg@10"], other["queries"], other["documents"]) == (100, 3, 4)
    assert other["difference"] == [0, 0, 0]


def test_serve_loses_nothing(static_bundle):
    result = run_json("benchmarks.serve", static_bundle, "--requests", 40, "--each", 5)
    assert [row["lost"] for row in result["rows"]] == [0, 0, 0]
    assert [row["requests"] for row in result["rows"]] == [40, 40, 160]
    one, several, overload = result["rows"]
    assert (one["answered"], several["answered"]) == (40, 40)
    assert overload["answered"] + overload["refused"] == 160
    assert all(row["memory_mib"] > 0 and row["p99_ms"] >= row["p50_ms"] for row in result["rows"])


def test_encode_compares_with_the_library_and_the_bare_engine(static_bundle):
    result = run_json("benchmarks.encode", static_bundle, "--rounds", 3)
    assert {"processor", "python", "numpy"} <= set(result["machine"])
    measured = {(row["variant"], row["what"], row["tokens"]) for row in result["rows"]}
    for tokens in (16, 256):
        assert ("table-int8-256", "wordllama library", tokens) in measured
        assert ("onnx-int8-portable", "bare engine and tokenizer", tokens) in measured
    assert all(row["us"] > 0 and row["ratio"] > 0 for row in result["rows"])


def test_late_reads_what_it_says():
    result = run_json("benchmarks.late", "--rounds", 2)
    rows = {row["what"]: row for row in result["rows"]}
    assert rows["96x8"]["bytes_read"] == 50 * (128 * 96 + 4)
    assert rows["96x1"]["bytes_read"] == 50 * (128 * 12 + 4)
    assert all(row["maxsim_ms"] > 0 for row in result["rows"])
    assert result["quality"] == []
