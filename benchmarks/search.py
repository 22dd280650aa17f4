"""How long a search takes beside others, in one process on one thread, with the recall of each.

    python -m benchmarks.search FOLDER --bundle BUNDLE [--size N ...] [--json FILE]

FOLDER holds pairs.jsonl.gz (fields `query` and `doc`). Sizes above the real texts are filled up as
benchmarks/vectors.py says. Shortlists are chosen on the first half of the queries, the shortest
that reaches --recall; recall and times are those of the second half. Contenders take turns, a few
queries each; times are CPU time of the one thread. faiss is measured where it is installed. Index
files are built up to --index-limit documents, because that takes minutes above.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import importlib.util  # noqa: E402
import json  # noqa: E402
import sqlite3  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks import contenders  # noqa: E402
from benchmarks.contenders import LADDER, BareKernel, Contender, K  # noqa: E402
from benchmarks.machine import describe  # noqa: E402
from benchmarks.vectors import Sample, embed, enlarged  # noqa: E402
from edge_mrl import kernel  # noqa: E402
from edge_mrl.index.layout import IndexLayout  # noqa: E402
from edge_mrl.slices import FloatArray, Slice  # noqa: E402

Steps = tuple[Slice, Slice | None]
"""A scan slice, and the refine slice after it."""


def machine() -> dict[str, str]:
    """What the figures were measured on. faiss is held to one thread."""
    if importlib.util.find_spec("faiss"):
        import faiss

        faiss.omp_set_num_threads(1)
    compiled = f"{kernel.info().name} of {', '.join(kernel.info().available)}"
    return describe() | {"kernel": compiled, "sqlite": sqlite3.sqlite_version}


def read_bandwidth() -> float:
    """Bytes a second that one thread reads: a dot product over 256 MiB, the best of five."""
    values = np.ones(1 << 26, dtype=np.float32)
    best = min(_seconds(lambda: np.dot(values, values)) for _ in range(5))
    return values.nbytes / best


def _seconds(call) -> float:
    """CPU seconds of this thread, so that other programs on the machine count little."""
    start = time.thread_time()
    call()
    return time.thread_time() - start


def true_neighbours(sample: Sample) -> list[set[int]]:
    """The exact top 10 of every query, in float32."""
    found: list[set[int]] = []
    for start in range(0, len(sample.queries), 16):
        scores = sample.queries[start : start + 16] @ sample.documents.T
        found += map(set, np.argpartition(-scores, K, axis=1)[:, :K].tolist())
    return found


def recall(contender: Contender, queries: FloatArray, truth: list[set[int]]) -> float:
    """Share of the exact top 10 that is found."""
    hits = sum(
        len(set(contender.search(query)) & true) for query, true in zip(queries, truth, strict=True)
    )
    return hits / (K * len(truth))


def tune(contender: Contender, queries: FloatArray, truth: list[set[int]], wanted: float) -> None:
    """Give it the shortest list that reaches the wanted recall."""
    for keep in LADDER if hasattr(contender, "keep") else ():
        contender.keep = keep
        if recall(contender, queries, truth) >= wanted:
            return


def line_up(
    documents: FloatArray, scans: list[Steps], folder: Path, index_limit: int
) -> list[Contender]:
    """Everything that is measured; index files only up to `index_limit` documents."""
    kernels = kernel.available()
    fastest = list(kernels.values())[-1]
    found: list[Contender] = [BareKernel(documents, *scan, fastest) for scan in scans]
    if len(documents) <= 100_000:
        found.append(BareKernel(documents, *scans[0], kernels["numpy"]))
    if len(documents) <= index_limit:
        for number, (scan, refine) in enumerate(scans):
            layout = IndexLayout(Slice(documents.shape[1], 8), scan, refine)
            path = folder / f"{len(documents)}-{number}.db"
            found.append(contenders.WholeIndex(documents, layout, path))
    found.append(contenders.NumpyExact(documents))
    if importlib.util.find_spec("faiss"):
        found += [contenders.FaissFastScan(documents), contenders.FaissFlat(documents)]
    return found


def measure(sample: Sample, scans: list[Steps], given: argparse.Namespace) -> list[dict]:
    """One row of the table for each contender."""
    wanted, rounds = given.recall, given.rounds
    half = len(sample.queries) // 2
    truth = true_neighbours(sample)
    with tempfile.TemporaryDirectory() as folder:
        listed = line_up(sample.documents, scans, Path(folder), given.index_limit)
        for contender in listed:
            tune(contender, sample.queries[:half], truth[:half], wanted)
        asked = sample.queries[half:]
        times: list[list[float]] = [[] for _ in listed]
        for contender in listed:
            contender.search(asked[0])
        for number in range(rounds):
            for place, contender in enumerate(listed):
                for query in asked[number % 10 :: 10]:
                    times[place].append(_seconds(lambda: contender.search(query)))  # noqa: B023
        rows = [
            {
                "name": contender.name,
                "note": contender.note,
                "median_us": statistics.median(spent) * 1e6,
                "fastest_us": min(spent) * 1e6,
                "recall": recall(contender, asked, truth[half:]),
                "memory_mb": contender.nbytes / 1e6,
            }
            for contender, spent in zip(listed, times, strict=True)
        ]
        for contender, row in zip(listed, rows, strict=True):
            if isinstance(contender, BareKernel):
                spent = [_seconds(lambda: contender.scan(asked[0])) for _ in range(30)]  # noqa: B023
                row["scan_gb_per_s"] = contender.scan_bytes / statistics.median(spent) / 1e9
    return rows


def show(size: int, kind: str, rows: list[dict]) -> None:
    """Print a table."""
    base = next((r for r in rows if "FastScan" in r["name"]), rows[0])["median_us"]
    print(f"\n{size} documents ({kind})")
    print(f"{'':58} {'median us':>10} {'fastest':>9} {'ratio':>6} {'recall':>7} {'MB':>8}")
    for row in rows:
        scan = f"; scan {row['scan_gb_per_s']:.1f} GB/s" if "scan_gb_per_s" in row else ""
        print(
            f"{row['name']:58} {row['median_us']:10.0f} {row['fastest_us']:9.0f} "
            f"{row['median_us'] / base:6.2f} {row['recall']:7.4f} {row['memory_mb']:8.1f}  "
            f"{row['note']}{scan}"
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
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--index-limit", type=int, default=200_000, metavar="N")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "vectors.npz")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    about = {**machine(), "command": " ".join(["python -m benchmarks.search", *sys.argv[1:]])}
    bandwidth = read_bandwidth()
    for name, value in about.items():
        print(f"{name}: {value}")
    print(f"read bandwidth of one thread: {bandwidth / 1e9:.1f} GB/s")
    real = embed(given.folder, given.bundle, given.cache, given.queries)
    result = {**about, "read_bytes_per_second": bandwidth, "sizes": {}}
    for size in given.size:
        sample = enlarged(real, size)
        dim = sample.documents.shape[1]
        scans = given.scan or [
            (Slice(dim, 1), Slice(dim, 2)),
            (Slice(dim, 1), Slice(dim, 4)),
            (Slice(dim, 2), None),
        ]
        rows = measure(sample, scans, given)
        show(len(sample.documents), sample.kind, rows)
        result["sizes"][len(sample.documents)] = {"kind": sample.kind, "rows": rows}
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
