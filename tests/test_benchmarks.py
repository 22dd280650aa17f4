"""Benchmarks run and report what they promise; their times are not judged here."""

import gzip
import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import bm25
from benchmarks.contender import installed
from benchmarks.pipelines import ndcg
from benchmarks.plan_row import row_of
from benchmarks.rivals import rivals
from edge_mrl_export.pydocs import standard_library_docs

ROOT = Path(__file__).parent.parent


def run(module, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_json(module, *arguments):
    return json.loads(run(module, *arguments, "--json"))


@pytest.fixture
def judged(tmp_path):
    """Four documents that are their own queries, three of them judged."""
    topics = ("bread and yeast", "herons in reeds", "trains on rails", "rain on windows")
    (tmp_path / "qrels").mkdir()
    for name in ("corpus", "queries"):
        lines = [json.dumps({"_id": f"{n}", "text": text}) for n, text in enumerate(topics)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    rows = [f"{n}\t{n}\t1" for n in range(3)]
    (tmp_path / "qrels" / "test.tsv").write_text("\n".join(rows))
    return tmp_path


def test_kept_pairs_each_query_with_the_reference(static_bundle, judged):
    result = run_json("benchmarks.kept", static_bundle, judged, "--reference", "table-int8-256")
    by_name = {(row["variant"], row["dim"]): row for row in result["rows"]}
    assert by_name["table-int8-256", 64]["difference"] is None
    other = by_name["onnx-int8-portable", 256]
    assert (other["ndcg@10"], other["queries"], other["documents"]) == (100, 3, 4)
    assert other["difference"] == [0, 0, 0]


def test_plan_keeps_what_it_measured_and_judges_it(static_bundle, tmp_path):
    def lines():
        options = ["--profile", "laptop", "--documents", 1000, "--scan", "256x4"]
        kept = ["--rows", tmp_path / "rows.jsonl", "--json", tmp_path / "plan.json"]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.plan", *map(str, (static_bundle, *options, *kept))],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        # 1 where a prediction does not hold; times are not judged here.
        assert done.returncode in (0, 1), done.stderr
        return done.stdout.splitlines()

    first = lines()
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 1
    assert lines() == first
    (row,) = json.loads((tmp_path / "plan.json").read_text())["rows"]
    memory, file, recall, *_ = row_of(row["plan"], row["measured"]).cells
    assert file.holds and recall.holds, (file, recall)
    assert memory.measured > 30
    (whole,) = (line for line in first if line.startswith("all "))
    assert re.findall(r"\d+ of \d+", whole)[1] == "1 of 1", whole


@pytest.mark.parametrize(
    ("predicted", "measured", "held"), [(1.5, 1.0, True), (1.0, 1.52, False), (1.0, 0.66, False)]
)
def test_a_search_may_be_off_by_half(predicted, measured, held):
    plan = {"memory_bytes": 1, "index_file_bytes": 1, "recall": 1, "embedding_latency_ms": 1}
    plan |= {"query_latency_ms": predicted, "documents": 1, "stored": "", "scan": "", "refine": ""}
    found = {"memory_bytes": 1, "file_bytes": 1, "recall": 1, "shortlists": []}
    found |= {"embedding_cpu_seconds": [1e-3], "query_cpu_seconds": [measured / 1e3]}
    assert row_of(plan, found).cells[3].holds == held


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


def test_late_asks_texts_of_a_bundle(token_bundle, judged):
    settings = ("--rounds", 1, "--bundle", token_bundle, "--data", judged)
    rows = {row["order"]: row for row in run_json("benchmarks.late", *settings)["quality"]}
    sizes = [f"MaxSim at {size}" for size in ("48x8", "48x4", "48x1", "16x8", "8x8")]
    assert list(rows) == ["vectors", *sizes]
    # Each query is its document's own text, and the best of four is among ten.
    assert all(row["ndcg@10"] > 50 and row["queries"] == 3 for row in rows.values())
    cells = ("query_ms", "bytes_per_document", "documents_per_second")
    assert all(row[cell] > 0 for row in rows.values() for cell in cells)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """First sentences and what follows them, from Python's documentation."""
    folder = tmp_path_factory.mktemp("pairs")
    with gzip.open(folder / "pairs.jsonl.gz", "wt", encoding="utf-8") as file:
        for doc in standard_library_docs()[::40]:
            head, _, rest = doc.text.partition("\n\n")
            if rest:
                file.write(json.dumps({"query": head, "doc": rest}) + "\n")
    return folder


@pytest.fixture(scope="module")
def searched(pairs, static_bundle, tmp_path_factory):
    out = tmp_path_factory.mktemp("searched") / "result.json"
    settings = ["--size", 400, 1200, "--queries", 40, "--rounds", 1, "--scan", "256x2"]
    only = ["--only", "Index, 256x2", "numpy float32", *(rival.name for rival in rivals())]
    cache = ["--cache", out.with_name("vectors.npz")]
    run(
        "benchmarks.search",
        *(pairs, "--bundle", static_bundle, *settings, *only, *cache, "--json", out),
    )
    return out


def test_search_measures_every_cell_and_names_what_is_not_installed(searched):
    result = json.loads(searched.read_text())
    assert set(result["sizes"]) == {"400", "1200"}
    for size, table in result["sizes"].items():
        rows = {row["name"]: row for row in table["rows"]}
        for rival in rivals():
            assert ("missing" in rows[rival.name]) == (not installed(rival))
        exact = rows["numpy float32, exact"]
        assert exact["recall"] == 1
        assert exact["file_bytes"] == int(size) * 256 * 4 + 128
        index = rows["edge_mrl Index, 256x2 > 256x8 on disk"]
        assert index["recall"] > 0.9
        for row in rows.values():
            cells = ("median_us", "batch_1_thread_us", "batch_2_thread_us", "open_ms", "file_bytes")
            assert "missing" in row or all(row[cell] > 0 for cell in cells)


def test_search_results_become_a_table_and_a_plot(searched, tmp_path):
    table = run("benchmarks.table", searched)
    assert "**1,200 documents**" in table
    exact = next(row for row in table.splitlines() if row.startswith("| numpy float32, exact"))
    assert "| 1.0000 |" in exact
    run("benchmarks.growth", searched, tmp_path / "growth.svg")
    drawing = ElementTree.parse(tmp_path / "growth.svg").getroot()
    words = {element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")}
    assert {"numpy float32, exact", "400", "1,200"} <= words


def test_retrieval_finds_what_filters_keep_and_ranks_words_as_fts5_does(
    pairs, static_bundle, tmp_path
):
    out = tmp_path / "result.json"
    settings = ["--size", 400, "--queries", 20, "--json", out]
    shown = run("benchmarks.retrieval", pairs, "--bundle", static_bundle, *settings)
    result = json.loads(out.read_text())
    assert 380 < result["build"]["documents"] <= 400
    assert 0 < result["build"]["lexical_bytes_per_document"] < 400
    unfiltered, *shares = result["filters"]
    assert [row["share"] for row in shares] == [0.0001, 0.001, 0.01, 0.1, 0.5, 1]
    assert unfiltered["recall"] > 0.97
    for row in shares:
        assert row["recall"] >= unfiltered["recall"] - 0.01
        assert all(row[cell] > 0 for cell in ("unindexed_ms", "first_ms", "ms", "ratio"))
        # Every query is asked, and the difference is from the same queries without a filter.
        assert row["queries"] in (0, unfiltered["queries"])
        if row["queries"]:
            gap = row["recall"] - unfiltered["recall"]
            assert row["difference"] == pytest.approx(gap, abs=1e-9)
            assert row["half_width"] >= 0
    assert shares[-1]["queries"] == unfiltered["queries"] > 15
    assert (shares[-1]["difference"], shares[-1]["half_width"]) == (0, 0)
    assert "   50.00 % " in shown
    fused = result["fusion"]
    assert fused["ratio"] == pytest.approx(fused["rrf"] / (fused["dense"] + fused["lexical"]))
    rows = {row["name"]: row for row in result["bm25"]}
    assert list(rows) == [name for name in bm25.BM25 if bm25.installed(name)]
    assert rows[bm25.OURS]["agreement"] > 0.95
    assert rows[bm25.FTS5]["agreement"] == 1
    for row in rows.values():
        assert row["ratio"] == pytest.approx(rows[bm25.OURS]["ms"] / row["ms"])
        assert f"\n{row['name']} " in shown


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux's count of reads")
def test_layouts_measures_memory_and_reads(searched, static_bundle):
    # The texts and vectors are those of benchmarks.search.
    cache = ["--cache", searched.with_name("vectors.npz")]
    settings = ["--size", 1200, "--queries", 20, "--work", searched.parent]
    result = run_json(
        "benchmarks.layouts", searched.parent, "--bundle", static_bundle, *cache, *settings
    )
    sizes = [row["bytes_a_document"] for row in result["rows"]]
    # Codes of 1 and 4, 1 and 2, 2, 1 bits, with gains of two bytes.
    assert sizes == [32 + 128 + 4, 32 + 64 + 4, 64 + 2, 32 + 2]
    assert [round(row["of_float32"], 1) for row in result["rows"]] == [6.2, 10.2, 15.5, 30.1]
    for row in result["rows"]:
        assert row["recall"] > 0.9
        assert row["file_ratio"] > 1
        assert 0 < row["rows_reread"] <= 1200
        assert row["memory_bytes"] > 0


def test_pipelines_run_from_text_to_hits_and_survive_a_kill(static_bundle, tmp_path):
    out = tmp_path / "result.json"
    settings = ["--documents", 300, "--queries", 20, "--rounds", 1]
    run("benchmarks.pipelines", "--static", static_bundle, *settings, "--json", out)
    rows = {row["name"]: row for row in json.loads(out.read_text())["pipelines"]}
    ours = rows["edge_mrl, static bundle + Index"]
    assert ours["left_after_kill"] == 300
    assert 0.3 < ours["ndcg"] <= 1
    for cell in ("cold_s", "warm_ms", "ingest_per_s", "ingest_peak_bytes", "index_bytes"):
        assert ours[cell] > 0
    wordllama = rows["wordllama + usearch"]
    assert ("missing" in wordllama) == (importlib.util.find_spec("usearch") is None)
    by_hand = rows["by hand: onnxruntime int8 + tokenizers + .npy"]
    assert by_hand["missing"] == "no --bundle was given"
    assert "edge_mrl, static bundle + Index" in run("benchmarks.table", out)


def test_ndcg_is_that_of_the_published_formula():
    """Two relevant documents at ranks 1 and 3: (1 + 1/2) / (1 + 1/log2(3))."""
    found = {"q": ["a", "x", "b"]}
    assert ndcg(found, {"q": {"a": 1.0, "b": 1.0}}) == pytest.approx(1.5 / 1.6309297535714573)


def test_a_random_model_is_laid_out_as_the_real_one(tmp_path):
    """In small; `benchmarks.large` writes the sizes of the real ones."""
    pytest.importorskip("sentence_transformers")
    from benchmarks.large_work import SHAPES, write
    from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource

    real = SHAPES["embeddinggemma-300m"]
    sizes = real.sizes | {
        "vocab_size": 10_000,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 6,
        "head_dim": 8,
        "query_pre_attn_scalar": 8,
        "layer_types": real.sizes["layer_types"][:6],
    }
    small = replace(real, sizes=sizes, dense=((32, 64), (64, 32)), dims=(8, 32))
    write(small, tmp_path / "model")
    source = SentenceTransformersSource(tmp_path / "model")
    description = source.describe()
    assert (description.dim, description.matryoshka_dims) == (32, (8, 32))
    assert (description.architecture, description.tokenizer.max_tokens) == ("gemma3_text", 64)
    assert source.reference(["one text", "and another"]).shape == (2, 32)
