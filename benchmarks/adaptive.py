"""Adaptive retrieval as in the Matryoshka paper: recall against slice and shortlist, with the bytes
and the time that it takes.

    python -m benchmarks.adaptive FOLDER --bundle BUNDLE [--size N] [--plot FILE.svg] [--json FILE]

FOLDER holds pairs.jsonl.gz, as benchmarks/search.py takes it. Each row is a query through
`Index.query`: a shortlist by one slice, ordered anew by all dimensions in float32; then the stages
of the paper's funnel, with shortlists 200, 100, 50, 25, 10. Recall is the share of the exact top 10
in float32. Bytes are those that the stages compare, as `explain` counts them, reranks included; the
paper compares a shortlist by 16 of 2048 dimensions with one pass over all of them: 128 times less
arithmetic, 14 times less time (Kusupati et al. 2022, section 4.3). The single pass here is numpy's
matrix product over float32 vectors in memory, one thread. Below the table stands what saves most at
a recall, and the best recall among all that save as much as the paper.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import itertools  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from dataclasses import asdict, dataclass  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks.machine import describe  # noqa: E402
from benchmarks.vectors import Sample, embed, enlarged  # noqa: E402
from edge_mrl import Index, Prefetch  # noqa: E402
from edge_mrl.bundle import Bundle  # noqa: E402
from edge_mrl.cli import svg  # noqa: E402
from edge_mrl.index import IndexLayout  # noqa: E402
from edge_mrl.slices import FloatArray, Slice  # noqa: E402

K = 10
SHORTLISTS = (10, 20, 50, 100, 200, 400, 1000)
FUNNEL = (200, 100, 50, 25, 10)
RECALLS = (0.9, 0.95, 0.99)
PAPER_BYTES, PAPER_SPEED = 128, 14
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B8860B", "#56B4E9", "#666666", "#222222")
"""Okabe and Ito's, which people with a colour vision deficiency can tell apart."""


@dataclass(frozen=True)
class Row:
    """One way to ask, measured.

    Attributes:
        name: of the stages.
        slice: of the first.
        shortlist: documents it hands on.
        recall: share of the exact top 10.
        bytes: compared for one query.
        bytes_ratio: the single pass compares so many times more.
        ms: median for one query.
        speed_ratio: the single pass takes so many times longer.
    """

    name: str
    slice: str
    shortlist: int
    recall: float
    bytes: float
    bytes_ratio: float
    ms: float
    speed_ratio: float


def build(place: Path, sample: Sample, trained: Sequence[int]) -> Index:
    """An index that stores float32, so that the last stage is the paper's."""
    dim = sample.documents.shape[1]
    layout = IndexLayout(Slice(dim, 32), Slice(dim, 1))
    index = Index.create(
        place,
        dim=dim,
        matryoshka_dims=trained,
        identity="benchmark",
        model_name="benchmark",
        layout=layout,
    )
    with index.bulk_load():
        for start in range(0, len(sample.documents), 10_000):
            index.add(vectors=sample.documents[start : start + 10_000])
    return index


def exact(documents: FloatArray, queries: FloatArray) -> tuple[list[set[int]], float]:
    """The true top 10 of each query as document numbers, and the median time of one pass."""
    found, times = [], []
    for query in queries:
        start = time.perf_counter()
        scores = documents @ query
        best = np.argpartition(-scores, K)[:K]
        times.append(time.perf_counter() - start)
        found.append(set((best + 1).tolist()))
    return found, 1000 * statistics.median(times)


def measure(index: Index, queries: FloatArray, truth: list[set[int]], stage: Prefetch) -> tuple:
    """Recall, bytes and milliseconds of one way to ask."""
    dim = index.layout.stored.dim
    found, nbytes, times = 0, 0, []
    # Codes of a slice that the file does not keep are made at its first use.
    index.query(queries[0], prefetch=stage, using=(dim, 32), limit=K)
    for query, true in zip(queries, truth, strict=True):
        start = time.perf_counter()
        result = index.query(query, prefetch=stage, using=(dim, 32), limit=K)
        times.append(time.perf_counter() - start)
        found += len(true & {int(hit.id) for hit in result.hits})
    explained = index.query(queries[0], prefetch=stage, using=(dim, 32), limit=K, explain=True)
    nbytes = explained.explanation.bytes_compared
    return found / (K * len(truth)), nbytes, 1000 * statistics.median(times)


def funnel(dims: Sequence[int], bits: int) -> Prefetch:
    """The paper's stages: each trained size below the full one, shortlists halved."""
    first = max(0, len(dims) - len(FUNNEL))
    stage: Prefetch | None = None
    for dim, limit in zip(dims[first:], FUNNEL, strict=False):
        stage = Prefetch(slice=(dim, bits), limit=limit, prefetch=stage or ())
    assert stage is not None
    return stage


def table(index: Index, sample: Sample, trained: Sequence[int]) -> tuple[list[Row], float]:
    """All rows, and the time of the single pass."""
    truth, single_ms = exact(sample.documents, sample.queries)
    single_bytes = sample.documents.nbytes
    dim = sample.documents.shape[1]
    slices = [Slice(d, bits) for d in trained for bits in (8, 4, 1)] + [Slice(dim, 2)]
    ways = [
        (f"{slice_} -> {dim}x32", slice_, limit, Prefetch(slice=slice_, limit=limit))
        for slice_ in slices
        for limit in SHORTLISTS
    ]
    below = [size for size in trained if size < dim]
    if len(below) > 1:
        for bits in (8, 4):
            stage = funnel(below, bits)
            name = " -> ".join(map(str, below[max(0, len(below) - len(FUNNEL)) :]))
            ways.append((f"{name} -> {dim}, {bits} bits", Slice(below[0], bits), FUNNEL[0], stage))
    rows = []
    for name, slice_, limit, stage in ways:
        found, nbytes, ms = measure(index, sample.queries, truth, stage)
        rows.append(
            Row(name, str(slice_), limit, found, nbytes, single_bytes / nbytes, ms, single_ms / ms)
        )
    return rows, single_ms


def show(rows: list[Row]) -> None:
    names = ("stages", "shortlist", "recall@10", "KiB/query", "bytes less", "ms", "times faster")
    print("\n{:34} {:>9} {:>9} {:>10} {:>10} {:>8} {:>12}".format(*names))
    for row in rows:
        print(
            f"{row.name:34} {row.shortlist:9} {row.recall:9.4f} {row.bytes / 1024:10.0f} "
            f"{row.bytes_ratio:9.1f}x {row.ms:8.2f} {row.speed_ratio:11.1f}x"
        )


def summary(rows: Sequence[Row]) -> list[str]:
    """What saves most at a recall, and what is found with the paper's savings, in sentences."""
    lines = []
    for recall in RECALLS:
        good = [row for row in rows if row.recall >= recall]
        if not good:
            lines.append(f"recall {recall}: not reached")
            continue
        least, fastest = (
            max(good, key=lambda row: row.bytes_ratio),
            max(good, key=lambda row: row.speed_ratio),
        )
        lines.append(f"recall {recall}: fewest bytes {_named(least)}; fastest {_named(fastest)}")
    for what, factor, name in (
        ("bytes", PAPER_BYTES, "bytes_ratio"),
        ("time", PAPER_SPEED, "speed_ratio"),
    ):
        reached = [row for row in rows if getattr(row, name) >= factor]
        if reached:
            best = max(reached, key=lambda row: (row.recall, getattr(row, name)))
            lines.append(f"the paper's {factor} times less {what}: {_named(best)}")
        else:
            most = max(rows, key=lambda row: getattr(row, name))
            lines.append(f"the paper's {factor} times less {what}: not reached; {_named(most)}")
    return lines


def _named(row: Row) -> str:
    return (
        f"{row.name} with {row.shortlist}: recall {row.recall:.3f}, {row.bytes_ratio:.0f} times "
        f"fewer bytes, {row.speed_ratio:.1f} times faster"
    )


def plot(rows: list[Row], title: str) -> str:
    """Recall against the shortlist, a line for each slice, as an SVG document."""
    left, right, top, bottom = 70.0, 640.0, 60.0, 420.0
    lines: dict[str, list[Row]] = {}
    for row in rows:
        if row.name.count("->") == 1:
            lines.setdefault(row.slice, []).append(row)
    across = svg.Axis(math.log10(SHORTLISTS[0]), math.log10(SHORTLISTS[-1]), left, right)
    low = min(row.recall for row in rows)
    up = svg.Axis(max(0.0, low - 0.05), 1.0, bottom, top)
    parts = [svg.text(left, 28, title, size=15, weight="bold")]
    for value in up.ticks():
        parts.append(svg.line(left, up.at(value), right, up.at(value), svg.FAINT))
        parts.append(svg.text(left - 8, up.at(value) + 4, f"{value:.2f}", "end"))
    for limit in SHORTLISTS:
        place = across.at(math.log10(limit))
        parts.append(svg.text(place, bottom + 20, str(limit), "middle"))
    parts.append(svg.text((left + right) / 2, bottom + 44, "documents in the shortlist", "middle"))
    parts.append(svg.text(left, top - 12, "recall@10 after ordering by all dimensions", size=12))
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        dashes = "" if number < len(COLOURS) else "5 3"
        places = [(across.at(math.log10(r.shortlist)), up.at(r.recall)) for r in points]
        for (x1, y1), (x2, y2) in itertools.pairwise(places):
            parts.append(svg.line(x1, y1, x2, y2, colour, dashes))
        y = top + 18 * number
        parts.append(svg.line(right + 20, y, right + 44, y, colour, dashes))
        parts.append(svg.text(right + 50, y + 4, name))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 480" font-family="{svg.FONT}">'
        f'\n<rect width="780" height="480" fill="white"/>\n{body}\n</svg>\n'
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "vectors.npz")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    about = {**describe(), "command": " ".join(["python -m benchmarks.adaptive", *sys.argv[1:]])}
    for name, value in about.items():
        print(f"{name}: {value}")
    trained = Bundle.open(given.bundle).manifest.embedding.matryoshka_dims
    sample = enlarged(embed(given.folder, given.bundle, given.cache, given.queries), given.size)
    with tempfile.TemporaryDirectory() as folder:
        index = build(Path(folder) / "index.db", sample, trained)
        rows, single_ms = table(index, sample, trained)
        index.close()
    count, dim = sample.documents.shape
    print(f"{sample.kind}")
    print(
        f"single pass over {count} x {dim} float32: {sample.documents.nbytes / 1024:.0f} KiB, "
        f"{single_ms:.2f} ms"
    )
    show(rows)
    print("\n" + "\n".join(summary(rows)))
    if given.plot:
        given.plot.write_text(
            plot(rows, f"Adaptive retrieval, {count} documents, {dim} dimensions")
        )
    if given.json:
        result = {**about, "single_ms": single_ms, "rows": [asdict(row) for row in rows]}
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
