"""Whole pipelines beside one another: text, encoder, local store, ten hits.

    python -m benchmarks.pipelines [DATA] --bundle BUNDLE --static BUNDLE --model FOLDER \\
        [--tflite BUNDLE]
    python -m benchmarks.table FILE

DATA is a set in BEIR layout (corpus.jsonl, queries.jsonl, qrels/test.tsv); without it, the
documentation of Python's standard library, whose first sentences are the queries. --model is the
sentence-transformers folder that --bundle was exported from. Each figure comes from a process of
its own, with one thread and the page cache warm; the pipelines take turns. --json is written anew
as results come, so a run that is cut off keeps what it has. fastembed runs the
bundle's int8 graph, made to need no `dim`. What cannot run here is named with the reason.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.install_size import closure, installed_bytes, pinned
from benchmarks.machine import describe
from benchmarks.pipeline_kinds import PIPELINES, K, Pipeline

ROOT = Path(__file__).parent.parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
ENVIRONMENT = {
    **os.environ,
    **dict.fromkeys(THREADS, "1"),
    # Compiled modules are kept, as wherever a package is installed.
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
Relevant = dict[str, dict[str, float]]

LEAST_COLD, COLD_SECONDS = 5, 20.0
"""A pipeline whose cold starts took longer together has no more than so many."""
WARM_ROUNDS = 4
"""Further processes of warm queries, in turns like the cold starts."""


class TaskFailedError(Exception):
    """A task ended badly; the message is the last line it wrote."""


def load(data: Path | None, documents: int, queries: int) -> tuple[dict, dict, Relevant]:
    """Documents and queries by id, and what is relevant to each query."""
    if data is None:
        return _standard_library(documents, queries)
    texts = {
        row["_id"]: "\n".join(filter(None, [row.get("title"), row["text"]]))
        for row in _rows(data / "corpus.jsonl", documents)
    }
    relevant: Relevant = {}
    for line in (data / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        query, document, gain = line.split("\t")
        if document in texts:
            relevant.setdefault(query, {})[document] = float(gain)
    everything = _rows(data / "queries.jsonl", sys.maxsize)
    asked = {row["_id"]: row["text"] for row in everything if row["_id"] in relevant}
    return texts, dict(list(asked.items())[:queries]), relevant


def _rows(path: Path, most: int) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:most]]


def _standard_library(documents: int, queries: int) -> tuple[dict, dict, Relevant]:
    from edge_mrl_export.pydocs import standard_library_docs

    texts, asked = {}, {}
    for doc in standard_library_docs():
        head, _, rest = doc.text.partition("\n\n")
        if len(rest) > 100 and len(texts) < documents:
            texts[doc.name] = rest
            asked[doc.name] = head
    asked = dict(list(asked.items())[:queries])
    return texts, asked, {name: {name: 1.0} for name in asked}


def ndcg(found: dict[str, list[str]], relevant: Relevant) -> float:
    """Mean nDCG@10, gains as judged, discount log2(rank + 1)."""
    values = []
    for query, ids in found.items():
        gains = relevant[query]
        ideal = sum(
            gain / math.log2(place + 2)
            for place, gain in enumerate(sorted(gains.values(), reverse=True)[:K])
        )
        got = sum(gains.get(id_, 0) / math.log2(place + 2) for place, id_ in enumerate(ids))
        values.append(got / ideal)
    return statistics.mean(values)


def make_fastembed_model(bundle: Path, model: Path, folder: Path) -> None:
    """A folder that fastembed loads: the bundle's int8 graph with `dim` set, and tokenizer files.

    An initializer of the same name as an input is the input's default.
    """
    import numpy as np
    import onnx

    manifest = json.loads((bundle / "manifest.json").read_text())
    dim = manifest["embedding"]["dim"]
    graph = onnx.load(bundle / "onnx" / "int8-fast.onnx")
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array([dim]), "dim"))
    folder.mkdir()
    onnx.save(graph, folder / "model.onnx")
    (folder / "dim.json").write_text(str(dim))
    for name in ("config.json", "special_tokens_map.json"):
        shutil.copy(model / name, folder)
    settings = json.loads((model / "tokenizer_config.json").read_text())
    settings["model_max_length"] = manifest["tokenizer"]["max_tokens"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    shutil.copy(bundle / "tokenizer.json", folder)


class Runner:
    """Runs the tasks of the pipelines, each in a fresh process."""

    def __init__(self, settings: Path, folder: Path) -> None:
        self._settings, self._folder = settings, folder

    def store(self, kind: str, what: str) -> Path:
        """Where a pipeline keeps its files."""
        path = self._folder / f"{kind}-{what}"
        path.mkdir(exist_ok=True)
        return path

    def run(self, kind: str, task: str, what: str = "store") -> tuple[dict[str, Any], float, float]:
        """What the task printed, the seconds from before its start to its first line, and those of
        processor time that it took until its end.

        Raises:
            TaskFailedError: it ended otherwise than the task should.
        """
        print(f"{PIPELINES[kind].name}: {task}", file=sys.stderr)
        module = [sys.executable, "-m", "benchmarks.pipeline_task", kind, task]
        with tempfile.TemporaryFile("w+") as errors:
            start = time.perf_counter()
            process = subprocess.Popen(
                [*module, str(self._settings), str(self.store(kind, what))],
                cwd=self._folder,
                env=ENVIRONMENT,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            assert process.stdout is not None
            line = process.stdout.readline()
            spent = time.perf_counter() - start
            process.stdout.close()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            killed = task == "kill" and process.returncode == -9
            if not killed and not line:
                errors.seek(0)
                said = errors.read().strip().splitlines() or [f"exit code {process.returncode}"]
                raise TaskFailedError(f"{task}: {said[-1][:300]}")
        answer = json.loads(line) if line else {}
        return answer, spent, usage.ru_utime + usage.ru_stime


def stored_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def why_not(kind: type[Pipeline], settings: dict[str, str]) -> str | None:
    """Why it cannot run here, or None."""
    for module in kind.modules:
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed"
    for need in kind.needs:
        if need not in settings:
            return f"no --{'bundle and --model' if need == 'fastembed' else need} was given"
    return None


def measure(
    runner: Runner,
    settings: dict[str, str],
    relevant: Relevant,
    rounds: int,
    only: Sequence[str],
    keep: Callable[[list[dict[str, Any]]], object],
) -> list[dict[str, Any]]:
    """A row for each pipeline, or for those whose names have one of the parts in `only`; `keep`
    gets the rows as far as they go, again and again."""
    rows: dict[str, dict[str, Any]] = {}
    for key, kind in PIPELINES.items():
        if not only or any(part in kind.name for part in only):
            rows[key] = {"name": kind.name, **_all_but_cold(runner, settings, relevant, key)}
            keep(list(rows.values()))
    colds: dict[str, list[tuple[float, float]]] = {
        key: [] for key, row in rows.items() if "missing" not in row
    }
    warms: dict[str, list[float]] = {key: [rows[key]["warm_ms"]] for key in colds}
    for number in range(rounds):
        for key, measured in colds.items():
            if number >= LEAST_COLD and sum(wall for wall, _ in measured) > COLD_SECONDS:
                continue
            answer, spent, cpu = runner.run(key, "cold")
            measured.append((spent, cpu))
            walls, cpus = zip(*measured, strict=True)
            rows[key] |= {"cold_s": statistics.median(walls), "cold_fastest_s": min(walls)}
            rows[key] |= {"cold_cpu_s": statistics.median(cpus), "cold_starts": len(walls)}
            rows[key]["cold_peak_bytes"] = answer["cold_peak_bytes"]
            if number < WARM_ROUNDS:
                warms[key].append(runner.run(key, "warm")[0]["warm_ms"])
                rows[key]["warm_ms"] = statistics.median(warms[key])
        keep(list(rows.values()))
    return list(rows.values())


def _all_but_cold(
    runner: Runner, settings: dict[str, str], relevant: Relevant, key: str
) -> dict[str, Any]:
    """The figures of one pipeline but for its cold starts, or why there are none."""
    kind = PIPELINES[key]
    reason = why_not(kind, settings)
    if reason is not None:
        return {"missing": reason}
    try:
        row = runner.run(key, "ingest")[0]
        row["index_bytes"] = stored_bytes(runner.store(key, "store"))
        answer = runner.run(key, "warm")[0]
        row |= {"warm_ms": answer["warm_ms"], "ndcg": ndcg(answer["found"], relevant)}
        runner.run(key, "kill", "killed")
        row["left_after_kill"] = runner.run(key, "count", "killed")[0]["left_after_kill"]
    except TaskFailedError as error:
        return {"missing": str(error)}
    names = closure(kind.requirements)
    row |= {"packages": len(names), "installed_bytes": installed_bytes(names)}
    if kind.pinned is not None:
        least = pinned(kind.pinned)
        row |= {"least_packages": len(least), "least_bytes": installed_bytes(least)}
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--bundle", type=Path, help="a transformer's bundle with onnx-int8-fast")
    parser.add_argument("--tflite", type=Path, help="a transformer's bundle with tflite-int8-fast")
    parser.add_argument("--static", type=Path, help="a static table's bundle")
    parser.add_argument("--model", type=Path, help="the sentence-transformers folder")
    parser.add_argument("--documents", type=int, default=1000, metavar="N")
    parser.add_argument("--queries", type=int, default=200, metavar="N")
    parser.add_argument("--rounds", type=int, default=7, help="cold starts of each pipeline")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="parts of names")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    texts, queries, relevant = load(given.data, given.documents, given.queries)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {
            key: str(path.resolve())
            for key, path in vars(given).items()
            if key in ("bundle", "tflite", "static", "model") and path is not None
        }
        if given.bundle and given.model:
            make_fastembed_model(given.bundle, given.model, folder / "fastembed")
            settings["fastembed"] = str(folder / "fastembed")
        (folder / "texts.json").write_text(json.dumps(texts))
        (folder / "queries.json").write_text(json.dumps(queries))
        settings |= {
            "texts": str(folder / "texts.json"),
            "queries": str(folder / "queries.json"),
            "query": next(iter(queries.values())),
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        runner = Runner(folder / "settings.json", folder)
        result: dict[str, Any] = {
            **describe(),
            "command": " ".join(["python -m benchmarks.pipelines", *sys.argv[1:]]),
            "data": f"{len(texts)} documents, {len(queries)} queries",
        }

        def keep(rows: list[dict[str, Any]]) -> None:
            result["pipelines"] = rows
            if given.json:
                given.json.write_text(json.dumps(result, indent=1) + "\n")

        measure(runner, settings, relevant, given.rounds, given.only, keep)
    from benchmarks.table import render

    print(render(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
