"""Whole processes under hard memory limits: what must fit the smallest board, fits, or is killed.

    python -m benchmarks.fits --static BUNDLE [--transformer BUNDLE] [--folder F] [--json FILE]

Each case is a process of its own in a memory control group, page cache dropped before: it loads the
encoder, opens an index, searches, adds documents from a file and searches again, or it is
`edge-mrl build` with a corpus. The kernel kills it where it needs more. The plan is made for the
smallest board with the case's peak as its memory budget, so that the prediction stands beside what
was measured. Root, Linux.
"""

from __future__ import annotations

import argparse
import compileall
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import edge_mrl
from benchmarks.machine import describe
from benchmarks.memory_limit import drop_caches, run_limited, unavailable

MB = 1e6


@dataclass(frozen=True, slots=True)
class Case:
    """What must fit.

    Attributes:
        name: for people.
        model: ``"static"`` or ``"transformer"``.
        documents: in the index before.
        added: and added to it, or built by the command.
        limit_mb: the group's hard limit.
        peak_mb: the most that may be resident of the process, and the plan's budget.
        work: ``"use"`` or ``"build"``, see `benchmarks.fits_work`.
    """

    name: str
    model: str
    documents: int
    added: int
    limit_mb: int
    peak_mb: int
    work: str = "use"


CASES = (
    Case("static, 100 000", "static", 100_000, 1000, 96, 80),
    Case("static, from nothing to 100 000", "static", 0, 100_000, 96, 80),
    Case("static, edge-mrl build of 100 000", "static", 0, 100_000, 96, 80, "build"),
    Case("static, 1 000 000", "static", 1_000_000, 1000, 192, 160),
    Case("transformer, 100 000", "transformer", 100_000, 200, 192, 150),
    Case("transformer, edge-mrl build of 2500", "transformer", 0, 2500, 192, 150, "build"),
)


@dataclass(frozen=True, slots=True)
class Result:
    """A case and what became of it."""

    case: Case
    said: dict[str, object] | None
    killed: bool
    error: str
    seconds: float
    group_peak_bytes: int

    @property
    def resident_mb(self) -> float:
        """Peak of the process; infinite where it was killed."""
        found = None if self.said is None else self.said["peak_resident_bytes"]
        return found / MB if isinstance(found, int) else float("inf")

    @property
    def held(self) -> bool:
        """Whether it worked within the limit and stayed below its peak."""
        return self.resident_mb <= self.case.peak_mb


def run(case: Case, bundle: Path, folder: Path) -> Result:
    """Make the index where it is missing, then the case under its limit."""
    index = folder / f"{case.model}-{case.work}-{case.documents}-{case.added}.db"
    shared = ["--budget", f"{case.peak_mb}"]
    module = [sys.executable, "-m", "benchmarks.fits_work"]
    total = max(case.documents, 1)
    for suffix in ("", "-wal", "-shm"):
        index.with_name(index.name + suffix).unlink(missing_ok=True)
    planned = ["--documents", f"{total + case.added}", "--added", f"{case.added}"]
    # In processes of their own: drawing texts would count, 11 MB of it numpy.random's.
    for before, documents in (("fill", case.documents), ("prepare", case.added)):
        if documents:
            made = [*module, before, f"{bundle}", f"{index}", *shared]
            made += ["--documents", f"{documents}"]
            subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
    # As an installation does; compiling them takes memory of its own.
    compileall.compile_dir(Path(edge_mrl.__file__).parent, quiet=2)
    drop_caches()
    used = [*module, case.work, f"{bundle}", f"{index}", *shared, *planned]
    outcome = run_limited(used, round(case.limit_mb * MB), ORT_DISABLE_TELEMETRY="1")
    said = json.loads(outcome.out.splitlines()[-1]) if outcome.code == 0 else None
    last = (outcome.err.strip().splitlines() or [""])[-1]
    return Result(case, said, outcome.killed, last, outcome.seconds, outcome.peak_bytes)


def show(result: Result) -> str:
    """A line of the table."""
    case = result.case
    start = f"{case.name:34} {case.limit_mb:5} {case.peak_mb:6}"
    if result.said is None:
        return f"{start}  {'killed' if result.killed else 'failed: ' + result.error}"
    said = result.said
    predicted = said["predicted_bytes"]
    assert isinstance(predicted, int)
    chosen = f"{said['variant']}, {said['layout']} ({said['scan_home']})"
    return (
        f"{start} {result.resident_mb:9.1f} {predicted / MB:9.1f} "
        f"{said['first_hit_seconds']:7.2f} {result.seconds:7.1f}  {chosen}"
        f"{'' if result.held else '  ABOVE'}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--static", type=Path)
    parser.add_argument("--transformer", type=Path)
    parser.add_argument("--folder", type=Path, help="where indexes are made; default a new one")
    parser.add_argument("--only", metavar="TEXT", help="cases whose name contains it")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    why = unavailable()
    if why is not None:
        print(f"fits: not tried here: {why}", file=sys.stderr)
        return 2
    about = describe() | {"command": " ".join(["python -m benchmarks.fits", *sys.argv[1:]])}
    for name, value in about.items():
        print(f"{name}: {value}")
    columns = "limit   peak  resident predicted 1st hit seconds"
    print(f"\n{'all sizes in MB':34} {columns}")
    results = []
    with tempfile.TemporaryDirectory() as fresh:
        for case in CASES:
            bundle = getattr(given, case.model)
            if bundle is None or (given.only and given.only not in case.name):
                continue
            results.append(run(case, bundle, given.folder or Path(fresh)))
            print(show(results[-1]), flush=True)
    if given.json:
        rows = [{"case": one.case.name, "held": one.held, **(one.said or {})} for one in results]
        given.json.write_text(json.dumps({**about, "cases": rows}, indent=1) + "\n")
    return 0 if results and all(one.held for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
