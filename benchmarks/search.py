"""How long a search takes beside others, in one run on one thread, with the recall of each.

    python -m benchmarks.search FOLDER --bundle BUNDLE [--size N ...] [--json FILE]
    python -m benchmarks.table FILE          # the same as Markdown
    python -m benchmarks.growth FILE OUT.svg

FOLDER holds pairs.jsonl.gz (fields `query` and `doc`). Sizes above the real texts are filled up as
benchmarks/vectors.py says. Every contender has a process of its own (benchmarks/hosted.py) and they
take turns, a few queries each. Shortlists are chosen on the first half of the queries
(benchmarks/tuning.py); recall and times are those of the second half. Times are CPU time of the
contender's whole process; batches are wall time too, because two threads share them. What is not
installed is named. Rivals that need minutes to build are left out above --limit documents.
"""

from __future__ import annotations

import os

# Read by the libraries when they are loaded, also in the processes that this one starts.
for _name in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "LANCE_CPU_THREADS",
    "TOKIO_WORKER_THREADS",
):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("LANCE_LOG", "error")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import argparse  # noqa: E402
import json  # noqa: E402
import sqlite3  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import ExitStack  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks import contenders  # noqa: E402
from benchmarks.contender import Contender, K, installed  # noqa: E402
from benchmarks.hosted import ContenderFailedError, Hosted  # noqa: E402
from benchmarks.machine import describe  # noqa: E402
from benchmarks.rivals import rivals  # noqa: E402
from benchmarks.tuning import Tuning, recall_shares  # noqa: E402
from benchmarks.vectors import Sample, embed, enlarged  # noqa: E402
from edge_mrl import kernel  # noqa: E402
from edge_mrl.index.format.layout import IndexLayout  # noqa: E402
from edge_mrl.slices import Slice  # noqa: E402

Steps = tuple[Slice, Slice | None]
"""A scan slice, and the refine slice after it."""

SHORT = 128
"""Dimensions of a short scan, which is measured too where codes no longer fit the last cache."""
BATCH = 100
LEAST_QUERIES = 10
"""However slow a contender is, it answers so many."""


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    compiled = f"{kernel.info().name} of {', '.join(kernel.info().available)}"
    return describe() | {"kernel": compiled, "sqlite": sqlite3.sqlite_version}


def read_bandwidth() -> float:
    """Bytes a second that one thread reads: a dot product over 256 MiB, the best of five."""
    values = np.ones(1 << 26, dtype=np.float32)
    best = float("inf")
    for _ in range(5):
        start = time.thread_time()
        np.dot(values, values)
        best = min(best, time.thread_time() - start)
    return values.nbytes / best


def true_neighbours(sample: Sample) -> list[set[int]]:
    """The exact top 10 of every query, in float32."""
    found: list[set[int]] = []
    for start in range(0, len(sample.queries), 16):
        scores = sample.queries[start : start + 16] @ sample.documents.T
        found += map(set, np.argpartition(-scores, K, axis=1)[:, :K].tolist())
    return found


def line_up(size: int, dim: int, scans: list[Steps], given: argparse.Namespace) -> list[Contender]:
    """Everything that is to be measured at this size, installed or not."""
    kernels = list(kernel.available())
    found: list[Contender] = [contenders.BareKernel(*scan, kernels[-1]) for scan in scans]
    if size <= given.limit:
        found.append(contenders.BareKernel(*scans[0], "numpy"))
    for scan, refine in scans:
        found.append(contenders.WholeIndex(IndexLayout(Slice(dim, 8), scan, refine)))
    found += [contenders.NumpyExact(), contenders.FaissFastScan(), contenders.FaissFlat()]
    if size <= given.limit:
        found += rivals()
    wanted = [word.lower() for word in given.only or [""]]
    return [one for one in found if any(word in one.name.lower() for word in wanted)]


class Race:
    """The contenders at one size, each hosted, and what they answered."""

    def __init__(self, sample: Sample, hosts: list[Hosted], given: argparse.Namespace) -> None:
        self._truth = true_neighbours(sample)
        half = len(sample.queries) // 2
        self._tuning = Tuning(self._truth, range(half), given.recall, given.seconds)
        self._asked = list(range(half, len(sample.queries)))
        self._hosts, self._given = hosts, given

    def run(self) -> Iterator[dict[str, object]]:
        """One row of the table for each contender."""
        for host in self._hosts:
            print(f"tuning {host.contender.name}", file=sys.stderr)
            self._tuning.choose(host)
            host.reopen()
        cpu: dict[Hosted, list[float]] = {host: [] for host in self._hosts}
        hits: dict[Hosted, dict[int, list[int]]] = {host: {} for host in self._hosts}
        for turn in range(10 * self._given.rounds):
            numbers = self._asked[turn % 10 :: 10]
            for host in self._hosts:
                if sum(cpu[host]) > self._given.seconds and len(cpu[host]) >= LEAST_QUERIES:
                    continue
                answers = host.search(numbers)
                cpu[host] += [seconds for seconds, _, _ in answers]
                hits[host] |= dict(zip(numbers, (found for _, _, found in answers), strict=True))
        for host in self._hosts:
            yield {
                "name": host.contender.name,
                "note": host.note,
                "median_us": 1e6 * statistics.median(cpu[host]),
                "fastest_us": 1e6 * min(cpu[host]),
                "queries": len(cpu[host]),
                "recall": statistics.mean(recall_shares(self._truth, hits[host].items())),
                **self._batches(host),
                **self._facts(host),
            }

    def _batches(self, host: Hosted) -> dict[str, float]:
        """Microseconds a query in batches of 100: the best of three, by the clock on the wall."""
        numbers = [self._asked[place % len(self._asked)] for place in range(BATCH)]
        return {
            f"batch_{threads}_thread_us": 1e6
            / BATCH
            * min(host.search_many(numbers, threads)[1] for _ in range(3))
            for threads in (1, 2)
        }

    @staticmethod
    def _facts(host: Hosted) -> dict[str, float | None]:
        facts: dict[str, float | None] = {**host.facts, "scan_bytes_per_s": host.scan_speed()}
        if not host.contender.keeps_file:
            facts |= {"open_ms": None, "file_bytes": None, "build_s": None}
        return facts


def measure(sample: Sample, scans: list[Steps], given: argparse.Namespace) -> list[dict]:
    """The table for one size; what is not installed or fails has a row that says so."""
    count, dim = sample.documents.shape
    rows: list[dict] = []
    with tempfile.TemporaryDirectory(dir=given.work) as name, ExitStack() as stack:
        folder = Path(name)
        np.save(folder / "documents.npy", sample.documents)
        np.save(folder / "queries.npy", sample.queries)
        hosts = []
        for number, contender in enumerate(line_up(count, dim, scans, given)):
            if not installed(contender):
                rows.append({"name": contender.name, "missing": "not installed"})
                continue
            print(f"building {contender.name}", file=sys.stderr)
            paths = folder / "documents.npy", folder / "queries.npy", folder / str(number)
            try:
                hosts.append(stack.enter_context(Hosted(contender, *paths)))
            except ContenderFailedError as error:
                rows.append({"name": contender.name, "missing": str(error)})
        return [*Race(sample, hosts, given).run(), *rows]


def show(size: int, kind: str, rows: list[dict]) -> None:
    """Print a table."""
    print(f"\n{size} documents ({kind})")
    heads = f"{'CPU us':>8} {'fastest':>8} {'recall':>7} {'MB':>7} {'open ms':>8} {'file MB':>8}"
    print(f"{'':50} {heads}")
    for row in rows:
        if "missing" in row:
            print(f"{row['name']:50} {row['missing']}")
            continue
        opened = "-" if row["open_ms"] is None else f"{row['open_ms']:.0f}"
        size_mb = "-" if row["file_bytes"] is None else f"{row['file_bytes'] / 1e6:.1f}"
        scan = row["scan_bytes_per_s"]
        note = row["note"] + (f"; scan {scan / 1e9:.1f} GB/s" if scan else "")
        print(
            f"{row['name']:50} {row['median_us']:8.0f} {row['fastest_us']:8.0f} "
            f"{row['recall']:7.4f} {row['memory_bytes'] / 1e6:7.1f} {opened:>8} {size_mb:>8}  "
            f"{note}"
        )


def _steps(text: str) -> Steps:
    scan, _, refine = text.partition(":")
    return Slice.parse(scan), Slice.parse(refine) if refine else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--size", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument(
        "--scan",
        type=_steps,
        nargs="+",
        help="256x1, or 256x1:256x2 with finer codes after it",
    )
    parser.add_argument("--recall", type=float, default=0.995)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--limit", type=int, default=100_000, metavar="N")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="parts of names")
    parser.add_argument(
        "--seconds", type=float, default=20, help="CPU time after which a contender asks no more"
    )
    parser.add_argument("--work", type=Path, help="a folder for the contenders' files")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "vectors.npz")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    about = {**machine(), "command": " ".join(["python -m benchmarks.search", *sys.argv[1:]])}
    bandwidth = read_bandwidth()
    for name, value in about.items():
        print(f"{name}: {value}")
    print(f"read bandwidth of one thread: {bandwidth / 1e9:.1f} GB/s")
    real = embed(given.folder, given.bundle, given.cache, given.queries)
    result: dict = {**about, "read_bytes_per_second": bandwidth, "sizes": {}}
    for size in given.size:
        sample = enlarged(real, size)
        dim = sample.documents.shape[1]
        scans = given.scan or [
            (Slice(dim, 1), Slice(dim, 2)),
            (Slice(dim, 1), Slice(dim, 4)),
            (Slice(dim, 2), None),
            *([(Slice(SHORT, 1), Slice(dim, 2))] if size > given.limit and dim > SHORT else []),
        ]
        rows = measure(sample, scans, given)
        show(len(sample.documents), sample.kind, rows)
        result["sizes"][len(sample.documents)] = {"kind": sample.kind, "rows": rows}
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
