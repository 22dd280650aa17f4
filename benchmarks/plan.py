"""Do the planner's predictions hold: predicted beside measured, for every slice of a bundle.

    python -m benchmarks.plan BUNDLE [--profile P] [--documents N ...] [--scan S ...] [--fit]

Each row is an index of its own, made and searched by processes that obey the plan (those of
`edge-mrl bench`). Calibrate first: `--profile auto` then plans with this machine's figures. What
must hold: memory within 10 % or 4 MB, file within 5 %, recall@10 within 0.01, a search within a
factor of 1.5, embedding within 1.3. Times are those of the CPU, so that other programs count
little. `--fit` prints what the rows say of the constants in `search_cost`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from edge_mrl.backends import installed_engines
from edge_mrl.bench.compare import facts_of, task_for, work
from edge_mrl.bench.work import Measured
from edge_mrl.bundle import Bundle
from edge_mrl.index.layout import IndexLayout
from edge_mrl.planning import BundleFacts, DeviceProfile, IndexFacts, Plan, load_profile, plan
from edge_mrl.planning.file_cost import DEFAULT_TEXT_BYTES
from edge_mrl.planning.search_cost import refine_seconds_per_row, scan_seconds_per_row
from edge_mrl.slices import Slice

MB = 1e6
SIZES = (1_000, 10_000, 100_000, 1_000_000)
MEMORY_SHARE, MEMORY_MB = 0.10, 4.0
FILE_SHARE = 0.05
RECALL = 0.01
SEARCH_FACTOR, EMBEDDING_FACTOR = 1.5, 1.3


@dataclass(frozen=True, slots=True)
class Row:
    """One index."""

    plan: Plan
    measured: Measured

    @property
    def search(self) -> float:
        """Seconds of CPU for a search."""
        return statistics.median(self.measured.query_cpu_seconds)

    @property
    def embedding(self) -> float:
        """Seconds of CPU for a text of 32 tokens."""
        return min(self.measured.embedding_cpu_seconds)

    def missed(self) -> list[str]:
        """The predictions that do not hold."""
        made, found = self.plan, self.measured
        apart = abs(made.memory_bytes - found.memory_bytes)
        holds = {
            "memory": apart <= max(MEMORY_SHARE * found.memory_bytes, MEMORY_MB * MB),
            "file": abs(made.index_file_bytes / found.file_bytes - 1) <= FILE_SHARE,
            "recall": abs(made.recall - found.recall) <= RECALL + 1e-9,
            "search": _within(1e3 * self.search, made.query_latency_ms, SEARCH_FACTOR),
            "embedding": _within(1e3 * self.embedding, made.embedding_latency_ms, EMBEDDING_FACTOR),
        }
        return [name for name, held in holds.items() if not held]


def _within(measured: float, predicted: float, factor: float) -> bool:
    return predicted / factor <= measured <= predicted * factor


def layouts(facts: BundleFacts, scans: list[Slice] | None) -> list[IndexLayout]:
    """Each stored size at 8 bits with its own scan slices; the largest with every smaller one, and
    1 and 2 bits of it refined by twice and four times as many."""
    slices = sorted(row.slice for row in facts.quality.slices)
    largest = max(one.dim for one in slices)
    plain = [
        IndexLayout(Slice(stored, 8), scan)
        for stored in sorted({one.dim for one in slices}, reverse=True)
        for scan in slices
        if scan.bits <= 8 and (scan.dim == stored or stored == largest)
        if scan.dim <= stored and (scans is None or scan in scans)
    ]
    refined = [
        replace(one, refine=Slice(largest, times * one.scan.bits))
        for one in plain
        if one.scan.dim == one.stored.dim == largest and one.scan.bits <= 2
        for times in (2, 4)
    ]
    return refined + plain


def measure(
    bundle: Path, facts: BundleFacts, profile: DeviceProfile, layout: IndexLayout, documents: int
) -> Row:
    """Make an index of this layout, obey the plan for it, and plan with what it measured itself."""
    asked = IndexFacts(documents, layout, None)
    first = plan(facts, profile, documents, index=asked, keep_layout=True)
    with tempfile.TemporaryDirectory() as folder:
        task = task_for(first, bundle, Path(folder) / "index.db")
        work("fill", task)
        found = Measured(**work("use", task))
    known = facts_of(layout, documents, found)
    return Row(plan(facts, profile, documents, index=known, keep_layout=True), found)


def show(row: Row) -> str:
    """A line of the table: predicted / measured."""
    made, found = row.plan, row.measured
    cells = (
        f"{made.documents:9} {made.layout.stored!s:>6} {_codes(made.layout):>11} "
        f"{_lists(found.shortlists):>9}",
        f"{made.memory_bytes / MB:7.1f} /{found.memory_bytes / MB:7.1f}",
        f"{made.index_file_bytes / MB:8.2f} /{found.file_bytes / MB:8.2f}",
        f"{made.recall:.3f} / {found.recall:.3f}",
        f"{made.query_latency_ms:7.2f} /{1e3 * row.search:7.2f}",
        f"{made.embedding_latency_ms:7.3f} /{1e3 * row.embedding:7.3f}",
        ", ".join(row.missed()),
    )
    return "  ".join(cells)


def _codes(layout: IndexLayout) -> str:
    return " ".join(map(str, layout.resident))


def _lists(lengths: Sequence[int]) -> str:
    return " ".join(map(str, lengths))


def fit(rows: list[Row], profile: DeviceProfile) -> str:
    """The constants of a search that these rows speak for, by least squares."""
    facts = profile.facts
    left, right = [], []
    for row in rows:
        scan = row.plan.documents * max(
            scan_seconds_per_row(row.plan.layout.scan) / facts.scan_speed,
            row.plan.layout.scan.code_bytes / facts.memory_read,
        )
        if row.plan.layout.refine is not None:
            finer = refine_seconds_per_row(row.plan.layout.refine)
            scan += row.measured.shortlists[0] * finer / facts.scan_speed
        reread = float(row.measured.shortlists[-1])
        left.append([1.0, reread, reread * row.plan.layout.stored.nbytes])
        right.append((row.search - scan) * facts.core_speed)
    # Each row counts by its share, not its size.
    weights = 1 / np.array([row.search for row in rows])
    table, wanted = np.array(left) * weights[:, None], np.array(right) * weights
    query, each, byte = np.linalg.lstsq(table, wanted, rcond=None)[0]
    beside = statistics.median(row.measured.memory_bytes - row.plan.memory_bytes for row in rows)
    return (
        f"QUERY_SECONDS {1e3 * query:.3f} ms, WARM_ROW_SECONDS {1e6 * each:.2f} us, "
        f"WARM_BYTE_SECONDS {1e9 * byte:.2f} ns; "
        f"INDEX_WORKING_BYTES {beside / 2**20:+.1f} MiB"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--profile", default="auto")
    parser.add_argument("--documents", type=int, nargs="+", default=SIZES)
    parser.add_argument("--scan", type=Slice.parse, nargs="+")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    facts = BundleFacts.from_manifest(Bundle.open(given.bundle).manifest)
    profile = load_profile(given.profile, engines=installed_engines())
    # Everything is tried, whatever the device would rather not do.
    roomy = replace(
        profile.budgets,
        memory_bytes=2**40,
        storage_bytes=2**50,
        query_latency=600.0,
        embedding_latency=600.0,
    )
    profile = replace(profile, budgets=roomy)
    about = describe() | {"profile": profile.name}
    about["command"] = " ".join(["python -m benchmarks.plan", *sys.argv[1:]])
    for name, value in about.items():
        print(f"{name}: {value}")
    print(f"texts of {DEFAULT_TEXT_BYTES} bytes; predicted / measured\n")
    print(
        "documents stored  resident     lists        memory MB            file MB        recall@10"
        "        search ms      embedding ms  missed"
    )
    rows = []
    for documents in given.documents:
        for layout in layouts(facts, given.scan):
            rows.append(measure(given.bundle, facts, profile, layout, documents))
            print(show(rows[-1]), flush=True)
    if given.fit:
        print(fit(rows, profile))
    if given.json:
        plain = [{"plan": row.plan.to_json(), "measured": asdict(row.measured)} for row in rows]
        given.json.write_text(json.dumps({**about, "rows": plain}, indent=1) + "\n")
    return 1 if any(row.missed() for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
