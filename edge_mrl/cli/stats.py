"""`edge-mrl stats`: an index in figures, with the recall that may be expected of it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from edge_mrl.cli.output import format_bytes, print_json
from edge_mrl.index import Index, IndexLayout, IndexStats


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("index", type=Path, help="the index file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    with Index.open(arguments.index) as index:
        stats = index.stats()
    if arguments.json:
        print_json({"index": str(arguments.index)} | stats_as_json(stats))
    else:
        print(f"{arguments.index}: {describe(stats)}")
    return 0


def stats_as_json(stats: IndexStats) -> dict[str, object]:
    """The figures as plain values for a JSON document."""
    plain = asdict(stats)
    del plain["layout"]
    return plain | layout_as_json(stats.layout)


def layout_as_json(layout: IndexLayout) -> dict[str, str | None]:
    """The slices as texts."""
    refine = None if layout.refine is None else str(layout.refine)
    return {"stored": str(layout.stored), "scan": str(layout.scan), "refine": refine}


def describe(stats: IndexStats) -> str:
    """A few lines for people."""
    return "\n".join(
        [
            f"{stats.documents} documents, {format_bytes(stats.file_bytes)}, "
            f"{format_bytes(stats.resident_bytes)} held in memory for searches ({stats.kernel})",
            f"model {stats.model_name} ({stats.identity[:12]}), {stats.dim} dimensions, "
            f"trained sizes {', '.join(map(str, stats.matryoshka_dims))}",
            str(stats.layout),
            f"{_steps(stats)}: {_expected(stats)}",
        ]
    )


def _steps(stats: IndexStats) -> str:
    *first, last = stats.shortlists
    looked = f"looks at {first[0]} more closely and " if first else ""
    return f"a search for 10 {looked}rereads {last} vectors"


def _expected(stats: IndexStats) -> str:
    measured = stats.measurement
    if measured is None:
        return "not measured, the index is small"
    interval = ""
    if measured.recall_low is not None and measured.recall_high is not None:
        interval = f" ({measured.recall_low:.3f} to {measured.recall_high:.3f})"
    return (
        f"expected recall {measured.recall:.3f}{interval} of the exact top 10,\n"
        f"measured with {measured.queries} of the documents as queries among {measured.sampled} "
        f"when the index held {measured.documents}"
    )
