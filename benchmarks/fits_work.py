"""What a small device does, as a process of its own; `benchmarks.fits` limits its memory.

python -m benchmarks.fits_work fill|use|prepare|build BUNDLE INDEX --budget MB --documents N
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_mrl.index import Record

START = time.monotonic()
WORDS = 40
"""Words of a document, a paragraph."""

QUERIES = ("compress a file", "a heron waits in the reeds", "why does the kettle whistle so")


def device(budget_mb: float):
    """The smallest board, with another memory budget and the engines of this machine."""
    from edge_mrl.backends import installed_engines
    from edge_mrl.planning import load_profile

    board = load_profile("raspberry-pi-zero-2w").at_any_quality()
    budgets = replace(board.budgets, memory_bytes=int(budget_mb * 1e6))
    # Latency is not what is tried here, and the time would be this machine's.
    budgets = replace(budgets, query_latency=600.0, embedding_latency=600.0)
    facts = replace(board.facts, engines=installed_engines())
    return replace(board, facts=facts, budgets=budgets)


def texts(count: int, seed: int) -> list[str]:
    """Paragraphs of made-up words. Each is about one of 5000 things, as real ones are: where all
    are equally unlike, no short list holds the nearest."""
    import numpy as np

    generator = np.random.default_rng(seed)
    subjects = generator.integers(0, 5000, count)
    common = generator.zipf(1.3, (count, WORDS)) % 30_000
    own = 30_000 + subjects[:, None] * 20 + generator.integers(0, 20, (count, WORDS))
    drawn = np.where(generator.random((count, WORDS)) < 0.5, own, common)
    return [" ".join(f"{number:x}" for number in row) for row in drawn.tolist()]


def batches(documents: int, size: int = 1000) -> Iterator[tuple[int, int]]:
    """Start and length of each batch."""
    for start in range(0, documents, size):
        yield start, min(size, documents - start)


def fill(given: argparse.Namespace) -> dict[str, object]:
    """An index of so many documents in the layout that the plan chooses. Its vectors are drawn,
    around centres and with energy that falls along the coordinates, as embedding takes long."""
    import numpy as np

    from edge_mrl import Encoder, Index

    encoder = Encoder.load(
        given.bundle, profile=device(given.budget), documents=given.documents, self_test=False
    )
    generator = np.random.default_rng(0)
    spectrum = (1 + np.arange(encoder.dim, dtype=np.float32)) ** -0.3
    centres = generator.standard_normal((5000, encoder.dim), dtype=np.float32)
    with Index.open(given.index, encoder) as index:
        with index.bulk_load():
            for start, size in batches(given.documents - index.count()):
                vectors = centres[generator.integers(0, len(centres), size)]
                vectors = vectors + 0.8 * generator.standard_normal(vectors.shape, dtype=np.float32)
                index.add(texts(size, start), vectors=vectors * spectrum)
        index.optimize()
        return {"documents": index.count(), "layout": str(index.layout)}


def use(given: argparse.Namespace) -> dict[str, object]:
    """Open, search, add, search again."""
    from edge_mrl import Encoder, Index

    encoder = Encoder.load(given.bundle, profile=device(given.budget), documents=given.documents)
    with Index.open(given.index, encoder) as index:
        plan = index.plan
        hits = len(index.search(QUERIES[0]))
        first = time.monotonic() - START
        for query in QUERIES[1:]:
            hits += len(index.search(query))
        if given.added:
            index.add_stream(records(given.index))
            hits += len(index.search(QUERIES[0]))
        count, shortlist = index.count(), index.stats().shortlists[-1]
    return {
        "hits": hits,
        "first_hit_seconds": first,
        "documents": count,
        "variant": encoder.variant.name,
        "layout": str(index.layout),
        "shortlist": shortlist,
        "scan_home": plan.scan_home,
        "predicted_bytes": max(plan.memory_bytes, plan.adding_bytes),
        "peak_resident_bytes": peak_resident(),
    }


PROFILE = """schema = 1
name = "fits"
title = "The smallest board"
extends = "raspberry-pi-zero-2w"
[budgets]
memory = {{ value = {budget}, unit = "MiB", source = "what is tried" }}
"""


def prepare(given: argparse.Namespace) -> dict[str, object]:
    """Documents to be added as a corpus, and a profile for `build`, beside the index."""
    with given.index.with_suffix(".jsonl").open("w") as lines:
        for start, size in batches(given.documents):
            for number, text in enumerate(texts(size, 10**6 + start), start):
                line = {"_id": f"document-{number:07}", "text": text, "metadata": {"n": number}}
                lines.write(json.dumps(line) + "\n")
    profile = PROFILE.format(budget=given.budget * 1e6 / 2**20)
    given.index.with_name("fits.toml").write_text(profile)
    return {"documents": given.documents}


def build(given: argparse.Namespace) -> dict[str, object]:
    """`edge-mrl build`, whole, in this process."""
    from edge_mrl.cli.main import main as edge_mrl

    said = io.StringIO()
    with redirect_stdout(said):
        code = edge_mrl(
            [
                *("build", f"{given.index}", "--bundle", f"{given.bundle}", "--json"),
                *("--input", f"{given.index.with_suffix('.jsonl')}"),
                *("--profile", f"{given.index.with_name('fits.toml')}"),
            ]
        )
    if code:
        raise SystemExit(code)
    made = json.loads(said.getvalue())
    plan = made["plan"]
    refine = f", refine {made['refine']}" if made["refine"] else ""
    return {
        "first_hit_seconds": time.monotonic() - START,
        "documents": made["documents"],
        "variant": made["variant"],
        "layout": f"stored {made['stored']}, scan {made['scan']}{refine}",
        "scan_home": plan["scan_home"],
        "predicted_bytes": max(plan["memory_bytes"], plan["adding_bytes"]),
        "peak_resident_bytes": peak_resident(),
    }


def records(index: Path) -> Iterator[Record]:
    """The documents that `prepare` wrote, one after another; the index gives them ids."""
    from edge_mrl.index import Record

    with index.with_suffix(".jsonl").open() as lines:
        for line in lines:
            yield Record(json.loads(line)["text"])


def peak_resident() -> int:
    """The most that was resident of this process (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("this system does not say what was resident")


WORK = {"fill": fill, "use": use, "prepare": prepare, "build": build}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", choices=tuple(WORK))
    parser.add_argument("bundle", type=Path)
    parser.add_argument("index", type=Path)
    parser.add_argument("--budget", type=float, required=True, metavar="MB")
    parser.add_argument("--documents", type=int, required=True)
    parser.add_argument("--added", type=int, default=0)
    given = parser.parse_args()
    print(json.dumps(WORK[given.work](given)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
