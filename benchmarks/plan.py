"""Do the planner's predictions hold: predicted beside measured, for every slice of a bundle.

    python -m benchmarks.plan BUNDLE [--documents N ...] [--scan S ...] [--data FOLDER]
        [--cache FILE] [--rows FILE] [--profile P] [--json FILE]

Each line is an index of its own, made and searched by processes that obey the plan (those of
`edge-mrl bench`). Calibrate first: `--profile auto` then plans with this machine's figures. What
must hold: memory within 10 % or 4 MB, file within 5 %, recall@10 within 0.01, a search within a
factor of 1.5, embedding within 1.3; a figure that does not is marked. Times are those of the CPU,
so that other programs count little.

Documents are real texts through the bundle where `--data` names a folder (see
`benchmarks.vectors`), kept in `--cache`, and beyond those drawn from a distribution fitted to them;
else all are drawn. `--rows` keeps what was measured, and a later run takes it from there instead of
measuring again, so that the whole may be run in pieces.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from benchmarks.plan_index import Written
from benchmarks.plan_row import HEADER, by_size, furthest, row_of
from benchmarks.vectors import Sample, embed, enlarged
from edge_mrl.backends import installed_engines
from edge_mrl.bench.compare import facts_of, task_for, work
from edge_mrl.bench.work import QUERIES, WARMING, Filled
from edge_mrl.bundle import Bundle
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.planning import BundleFacts, DeviceProfile, IndexFacts, Plan, load_profile, plan
from edge_mrl.planning.file_cost import DEFAULT_TEXT_BYTES
from edge_mrl.slices import Slice

SIZES = (1_000, 10_000, 100_000, 1_000_000)


def layouts(facts: BundleFacts, scans: list[Slice] | None) -> list[IndexLayout]:
    """Each stored size at 8 bits with its own scan slices; the largest with every smaller one; 1
    and 2 bits of it refined by twice and four times as many, and 1 bit of a smaller one refined by
    2 of it, as plans for many documents do."""
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
        IndexLayout(one.stored, one.scan, Slice(largest, times * one.scan.bits))
        for one in plain
        if one.scan.dim == one.stored.dim == largest and one.scan.bits <= 2
        for times in (2, 4)
    ]
    prefixed = [
        IndexLayout(one.stored, one.scan, Slice(largest, 2))
        for one in plain
        if one.scan.bits == 1 and one.scan.dim < one.stored.dim == largest
    ]
    # Those with the same stored vectors follow one another, so that they are written once.
    return sorted(refined + prefixed + plain, key=lambda one: -one.stored.dim)


@dataclass(frozen=True, slots=True)
class Vectors:
    """Files of vectors for one number of documents; empty names where they are drawn."""

    documents: str = ""
    queries: str = ""


def vectors_of(sample: Sample | None, cache: Path | None, documents: int) -> Vectors:
    """Real vectors and those like them, as files beside the cache."""
    if sample is None or cache is None:
        return Vectors()
    queries = cache.with_name(f"{cache.stem}-queries.npy")
    np.save(queries, sample.queries)
    file = cache.with_name(f"{cache.stem}-{documents}.npy")
    if not file.exists():
        np.save(file, enlarged(sample, documents).documents)
    return Vectors(str(file), str(queries))


def measure(
    bundle: Path,
    facts: BundleFacts,
    profile: DeviceProfile,
    layout: IndexLayout,
    documents: int,
    vectors: Vectors,
    written: Written,
) -> dict[str, object]:
    """Make an index of this layout, and obey the plan for it."""
    asked = IndexFacts(documents, layout, None)
    first = plan(facts, profile, documents, index=asked, keep_layout=True)
    given = replace(
        task_for(first, bundle, written.folder / "index.db"),
        vectors=vectors.documents,
        queries=vectors.queries,
        truth=str(written.truth),
    )
    filled = written.index(given)
    made = informed_plan(facts, profile, layout, filled)
    used = replace(given, row_cache=made.row_cache_bytes)
    return {"filled": filled, "used": work("use", used)}


def informed_plan(
    facts: BundleFacts, profile: DeviceProfile, layout: IndexLayout, filled: dict
) -> Plan:
    """The plan that knows the lists which the index measured itself."""
    known = facts_of(layout, Filled(**filled))
    return plan(facts, profile, known.documents, index=known, keep_layout=True)


class Kept:
    """Measurements in a file, one JSON object a line."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        lines = file.read_text().splitlines() if file is not None and file.exists() else []
        self._found = {tuple(row["key"]): row["measured"] for row in map(json.loads, lines)}

    def get(self, *key: object) -> dict[str, object] | None:
        """What was measured before."""
        return self._found.get(key)

    def put(self, measured: dict[str, object], *key: object) -> None:
        """Keep a measurement."""
        if self._file is not None:
            with self._file.open("a") as lines:
                lines.write(json.dumps({"key": key, "measured": measured}) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--profile", default="auto")
    parser.add_argument("--documents", type=int, nargs="+", default=SIZES)
    parser.add_argument("--scan", type=Slice.parse, nargs="+")
    parser.add_argument("--data", type=Path, help="a folder of texts; see benchmarks.vectors")
    parser.add_argument("--cache", type=Path, help="a file for their vectors; needed with --data")
    parser.add_argument("--rows", type=Path, help="keeps what was measured, for the next run")
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
    sample = None
    if given.data is not None and given.cache is None:
        parser.error("--data needs --cache FILE, where the vectors of its texts are kept")
    if given.cache is not None:
        sample = embed(given.data, given.bundle, given.cache, QUERIES + WARMING)
    about = describe() | {"profile": profile.name}
    about["vectors"] = "drawn" if sample is None else sample.kind
    about["command"] = " ".join(["python -m benchmarks.plan", *sys.argv[1:]])
    for name, value in about.items():
        print(f"{name}: {value}")
    print(f"texts of {DEFAULT_TEXT_BYTES} bytes; predicted / measured, ! where it does not hold\n")
    print(HEADER)
    kept, rows, plain = Kept(given.rows), [], []
    with tempfile.TemporaryDirectory() as folder:
        for documents in given.documents:
            written = Written(Path(folder))
            for layout in layouts(facts, given.scan):
                key = facts.identity, documents, str(layout)
                found = kept.get(*key)
                if found is None:
                    vectors = vectors_of(sample, given.cache, documents)
                    found = measure(
                        given.bundle, facts, profile, layout, documents, vectors, written
                    )
                    kept.put(found, *key)
                made = informed_plan(facts, profile, layout, found["filled"]).to_json()
                rows.append(row_of(made, found["used"]))
                plain.append({"plan": made, "measured": found["used"]})
                print(rows[-1], flush=True)
    print(f"\n{by_size(rows)}\n")
    for line in furthest(rows):
        print(line)
    if given.json:
        given.json.write_text(json.dumps({**about, "rows": plain}, indent=1) + "\n")
    return 0 if all(cell.holds for row in rows for cell in row.cells) else 1


if __name__ == "__main__":
    sys.exit(main())
