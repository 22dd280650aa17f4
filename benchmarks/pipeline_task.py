"""One task of one pipeline, in a process that ends with it; started by benchmarks.pipelines.

    python -m benchmarks.pipeline_task KIND TASK SETTINGS FOLDER

Prints one JSON object. `kill` prints nothing: it ends this process by SIGKILL right after add."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.pipeline import Pipeline
from benchmarks.pipeline_kinds import PIPELINES

BATCH = 1000
KILLED_AT = 500


def peak_bytes() -> int:
    """The most memory this process ever had in RAM; getrusage would count its parent's too."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def ingest(pipeline: Pipeline, texts: dict[str, str]) -> dict[str, Any]:
    pipeline.create()
    start = time.perf_counter()
    ids = list(texts)
    for first in range(0, len(ids), BATCH):
        part = ids[first : first + BATCH]
        pipeline.add(part, [texts[id_] for id_ in part])
    pipeline.save()
    spent = time.perf_counter() - start
    return {"ingest_per_s": len(ids) / spent, "ingest_peak_bytes": peak_bytes()}


def kill(pipeline: Pipeline, texts: dict[str, str]) -> None:
    pipeline.create()
    ids = list(texts)[:KILLED_AT]
    pipeline.add(ids, [texts[id_] for id_ in ids])
    os.kill(os.getpid(), signal.SIGKILL)


def count(pipeline: Pipeline) -> dict[str, Any]:
    """What opens after the kill; nothing where the store cannot be opened."""
    try:
        pipeline.open()
        return {"left_after_kill": pipeline.count()}
    except Exception as error:  # noqa: BLE001  every store has errors of its own
        return {"left_after_kill": 0, "error": f"{type(error).__name__}: {error}"[:200]}


def cold(pipeline: Pipeline, query: str) -> dict[str, Any]:
    """The parent's clock runs from before this process started to the line printed here."""
    pipeline.open()
    hits = pipeline.search(query)
    return {"hits": hits, "cold_peak_bytes": peak_bytes()}


def warm(pipeline: Pipeline, queries: dict[str, str]) -> dict[str, Any]:
    pipeline.open()
    pipeline.search(next(iter(queries.values())))
    spent, found = [], {}
    for id_, text in queries.items():
        start = time.perf_counter()
        found[id_] = pipeline.search(text)
        spent.append(time.perf_counter() - start)
    return {"warm_ms": 1e3 * sorted(spent)[len(spent) // 2], "found": found}


def main() -> None:
    kind, task, settings, folder = sys.argv[1:]
    given = json.loads(Path(settings).read_text())
    pipeline = PIPELINES[kind](given, Path(folder))
    if task == "cold":
        print(json.dumps(cold(pipeline, given["query"])), flush=True)
    elif task == "count":
        print(json.dumps(count(pipeline)), flush=True)
    elif task == "warm":
        print(json.dumps(warm(pipeline, json.loads(Path(given["queries"]).read_text()))))
    elif task == "ingest":
        print(json.dumps(ingest(pipeline, json.loads(Path(given["texts"]).read_text()))))
    else:
        kill(pipeline, json.loads(Path(given["texts"]).read_text()))


if __name__ == "__main__":
    main()
