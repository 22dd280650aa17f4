"""What an index costs by what it holds in memory: RAM, file, time and reads of the disk a query.

    python -m benchmarks.layouts FOLDER --bundle BUNDLE [--size N] [--json]

FOLDER and --cache are those of benchmarks.search. Each layout is built and searched in processes
of its own (benchmarks/hosted.py). *list* is how many stored rows a search may reread, *reread* how
many it does on average. *reads* and *read KiB* are what a query reads of the file by the system's
count; *from disk* is what of it, or around it, comes from the disk when the system was told to
forget the file before the query. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.contender import K
from benchmarks.contenders import WholeIndex
from benchmarks.hosted import Hosted
from benchmarks.machine import describe
from benchmarks.vectors import Sample, embed, enlarged
from edge_mrl import Index
from edge_mrl.cli.output import format_table
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.vector_rows import record_bytes
from edge_mrl.slices import FloatArray, Slice

COLD_QUERIES = 30


def layouts(dim: int) -> list[IndexLayout]:
    """From the most memory to the least."""
    stored = Slice(dim, 8)
    one, two, four = (Slice(dim, bits) for bits in (1, 2, 4))
    return [
        IndexLayout(stored, *resident) for resident in ((one, four), (one, two), (two,), (one,))
    ]


def true_neighbours(sample: Sample) -> list[set[int]]:
    """The exact top 10 of every query, in float32."""
    scores = sample.queries @ sample.documents.T
    return [set(np.argpartition(-row, K)[:K].tolist()) for row in scores]


def measure(sample: Sample, layout: IndexLayout, truth: list[set[int]], folder: Path) -> dict:
    """One row of the table."""
    count, dim = sample.documents.shape
    files = folder / "documents.npy", folder / "queries.npy"
    for path, vectors in zip(files, (sample.documents, sample.queries), strict=True):
        np.save(path, vectors)
    place = folder / "index"
    with Hosted(WholeIndex(layout), *files, place) as host:
        answers = host.search(list(range(len(sample.queries))))
        found = sum(
            len(best & set(hits)) for best, (_, _, hits) in zip(truth, answers, strict=True)
        )
        facts = host.facts
    with Index.open(place / "index.db") as index:
        spent = _spent(index, sample.queries[:COLD_QUERIES], place / "index.db")
    with Index.open(place / "index.db") as index:
        for query in sample.queries:
            index.search(query, K)
        stats = index.stats()
    return {
        "layout": " > ".join(map(str, layout.resident)),
        "bytes_a_document": layout.resident_row_bytes,
        "of_float32": 4 * dim / layout.resident_row_bytes,
        "memory_bytes": facts["memory_bytes"],
        "file_ratio": facts["file_bytes"] / (count * record_bytes(layout.stored)),
        "recall": found / (K * len(sample.queries)),
        "rows_listed": stats.shortlists[-1],
        "rows_reread": stats.rows_reread,
        "reads": spent["syscr"],
        "read_bytes": spent["rchar"],
        "disk_bytes": spent["read_bytes"],
        "median_us": 1e6 * statistics.median(cpu for cpu, _, _ in answers),
        "open_ms": facts["open_ms"],
    }


def _spent(index: Index, queries: FloatArray, file: Path) -> dict[str, float]:
    """What a query reads: calls, bytes, bytes of the disk; the system forgets the file before each,
    SQLite keeps what it holds."""
    index.search(queries[0], K)
    before = _counts()
    for query in queries:
        with file.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        index.search(query, K)
    after = _counts()
    return {name: (after[name] - before[name]) / len(queries) for name in after}


def _counts() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text().splitlines()
    return {name: int(value) for name, value in (line.split(": ") for line in lines)}


def show(rows: list[dict]) -> str:
    """The table as text."""
    heads = [
        "layout",
        "B/document",
        "float32 /",
        "memory MB",
        "file x",
        "recall@10",
        "list",
        "reread",
    ]
    heads += ["reads", "read KiB", "from disk", "CPU us", "open ms"]
    cells = [
        [
            row["layout"],
            str(row["bytes_a_document"]),
            f"{row['of_float32']:.1f}",
            f"{row['memory_bytes'] / 1e6:.1f}",
            f"{row['file_ratio']:.2f}",
            f"{row['recall']:.4f}",
            str(row["rows_listed"]),
            f"{row['rows_reread']:.1f}",
            f"{row['reads']:.0f}",
            f"{row['read_bytes'] / 1024:.0f}",
            f"{row['disk_bytes'] / 1024:.0f}",
            f"{row['median_us']:.0f}",
            f"{row['open_ms']:.0f}",
        ]
        for row in rows
    ]
    return format_table(heads, cells, left=(0,))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "vectors.npz")
    parser.add_argument(
        "--work", type=Path, help="a folder for the indexes, on the disk to measure"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    real = embed(given.folder, given.bundle, given.cache, given.queries)
    sample = enlarged(real, given.size)
    truth = true_neighbours(sample)
    rows = []
    for layout in layouts(sample.documents.shape[1]):
        with tempfile.TemporaryDirectory(dir=given.work) as name:
            rows.append(measure(sample, layout, truth, Path(name)))
    if given.json:
        print(json.dumps({"machine": describe(), "kind": sample.kind, "rows": rows}, indent=1))
        return 0
    print(", ".join(f"{key} {value}" for key, value in describe().items()))
    print(f"{len(sample.documents)} documents ({sample.kind})")
    print(show(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
