"""A plan's predictions beside what a process that obeys the plan really takes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_mrl.bench.work import Filled, Measured, Task
from edge_mrl.errors import CalibrationError
from edge_mrl.index import IndexLayout
from edge_mrl.planning import BundleFacts, DeviceProfile, IndexFacts, Plan, plan
from edge_mrl.planning.file_cost import DEFAULT_TEXT_BYTES


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure.

    Attributes:
        what: in words.
        unit: ``"bytes"``, ``"seconds"`` or ``"share"``.
        predicted: by the planner.
        measured: here.
    """

    what: str
    unit: str
    predicted: float
    measured: float

    @property
    def ratio(self) -> float:
        """Measured over predicted."""
        return self.measured / self.predicted if self.predicted else float("inf")


def task_for(made: Plan, bundle: Path, index: Path, text_bytes: int = DEFAULT_TEXT_BYTES) -> Task:
    """What a process does that obeys a plan."""
    return Task(
        bundle=str(bundle),
        index=str(index),
        variant=made.variant,
        stored=str(made.layout.stored),
        resident=tuple(map(str, made.layout.resident)),
        documents=made.documents,
        text_bytes=text_bytes,
        threads=made.threads,
        scan_budget=made.scan_budget_bytes,
        row_cache=made.row_cache_bytes,
    )


def work(kind: str, task: Task) -> dict[str, object]:
    """Do a task in a process of its own.

    Raises:
        CalibrationError: it failed; says how.
    """
    environment = os.environ | {"ORT_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "edge_mrl.bench.work", kind, task.to_json()],
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise CalibrationError(f"the measured process failed: {last}")
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(made: Plan, measured: Measured) -> tuple[Comparison, ...]:
    """Every figure of a plan that can be measured."""
    return (
        Comparison("resident memory", "bytes", made.memory_bytes, measured.memory_bytes),
        Comparison("index file", "bytes", made.index_file_bytes, measured.file_bytes),
        Comparison(
            "search", "seconds", made.query_latency_ms / 1e3, _middle(measured.query_seconds)
        ),
        Comparison(
            "embedding, 32 tokens",
            "seconds",
            made.embedding_latency_ms / 1e3,
            _middle(measured.embedding_seconds),
        ),
        Comparison("recall@10", "share", made.recall, measured.recall),
    )


def whole_comparison(
    bundle: Path, facts: BundleFacts, profile: DeviceProfile, documents: int, folder: Path
) -> tuple[Plan, Measured]:
    """Plan, make the index in a folder, plan again with what the index found out of its own
    vectors, and measure.

    Raises:
        PlanError: nothing fits.
        CalibrationError: a measured process failed.
    """
    file = folder / f"{documents}.db"
    first = plan(facts, profile, documents)
    filled = Filled(**work("fill", task_for(first, bundle, file)))  # type: ignore[arg-type]
    index = facts_of(first.layout, filled)
    made = plan(facts, profile, documents, index=index, keep_layout=True)
    return made, Measured(**work("use", task_for(made, bundle, file)))  # type: ignore[arg-type]


def facts_of(layout: IndexLayout, filled: Filled) -> IndexFacts:
    """What the planner may know of an index that was made: its lists, not its file."""
    return IndexFacts(filled.documents, layout, tuple(filled.shortlists), filled.expected_recall)


def _middle(seconds: Sequence[float]) -> float:
    return statistics.median(seconds)
