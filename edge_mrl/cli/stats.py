"""`edge-mrl stats`: an index in figures, with the recall that may be expected of it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from edge_mrl.backends import installed_engines
from edge_mrl.bundle import Bundle
from edge_mrl.cli.output import documents, format_bytes, print_json, print_text
from edge_mrl.cli.plan_notices import describe_plan
from edge_mrl.errors import IndexFileError
from edge_mrl.index import Index, IndexLayout, IndexStats
from edge_mrl.planning import BundleFacts, IndexFacts, PlanFollower, load_profile, plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("index", type=Path, help="the index file")
    parser.add_argument(
        "--profile", metavar="P", help="say too what the planner makes of it on this device"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    with Index.open(arguments.index) as index:
        stats = index.stats()
        follower = None if arguments.profile is None else _follower(index, arguments)
        made = None if follower is None else follower.start(stats)
        advice = None if follower is None else follower.advice
    if arguments.json:
        planned = {} if made is None else {"plan": made.to_json(), "plan_advice": advice}
        print_json({"index": str(arguments.index)} | stats_as_json(stats) | planned)
    else:
        print_text(f"{arguments.index}: {describe(stats)}")
        if made is not None:
            print_text(describe_plan(made, advice))
    return 0


def _follower(index: Index, arguments: argparse.Namespace) -> PlanFollower:
    """Plans for this index, from its bundle's manifest alone."""
    place = index.bundle
    if place is None:
        raise IndexFileError(
            f"{arguments.index} does not say where its model is, so nothing can be planned for it: "
            "leave --profile out"
        )
    facts = BundleFacts.from_manifest(Bundle.open(place).manifest)
    device = load_profile(arguments.profile, engines=installed_engines())
    best = plan(facts, device, index=IndexFacts.of(index.stats()), keep_layout=True)
    return PlanFollower(facts, device, best.variant, index.layout.stored.dim, 0)


def stats_as_json(stats: IndexStats) -> dict[str, object]:
    """The figures as plain values for a JSON document."""
    plain = asdict(stats)
    del plain["layout"]
    plain["measurement"] = None if stats.measurement is None else stats.measurement._asdict()
    plain["token_slice"] = None if stats.token_slice is None else str(stats.token_slice)
    return plain | layout_as_json(stats.layout)


def layout_as_json(layout: IndexLayout) -> dict[str, str | None]:
    """The slices as texts."""
    refine = None if layout.refine is None else str(layout.refine)
    return {"stored": str(layout.stored), "scan": str(layout.scan), "refine": refine}


def describe(stats: IndexStats) -> str:
    """A few lines for people."""
    return "\n".join(
        [
            f"{documents(stats.documents)}, {format_bytes(stats.file_bytes)}, "
            f"{format_bytes(stats.resident_bytes)} held in memory for searches ({stats.kernel})",
            f"model {_model(stats)}, {stats.dim} dimensions, "
            f"trained sizes {', '.join(map(str, stats.matryoshka_dims))}",
            _kept(stats),
            f"{_steps(stats)}: {_expected(stats)}",
        ]
    )


def _model(stats: IndexStats) -> str:
    """The name, and the start of a bundle's identity; vectors from elsewhere have a name alone."""
    if stats.identity == stats.model_name:
        return stats.model_name
    return f"{stats.model_name} ({stats.identity[:12]})"


def _kept(stats: IndexStats) -> str:
    if stats.token_slice is None:
        return str(stats.layout)
    return f"{stats.layout}, token vectors {stats.token_slice}"


def _steps(stats: IndexStats) -> str:
    *first, last = stats.shortlists
    looked = f"looks at {first[0]} more closely and " if first else ""
    return f"a search for 10 {looked}rereads up to {last} vectors"


def _expected(stats: IndexStats) -> str:
    measured = stats.measurement
    if measured is None:
        return "not measured, the index is small"
    interval = ""
    if measured.recall_low is not None and measured.recall_high is not None:
        interval = f" ({measured.recall_low:.3f} to {measured.recall_high:.3f})"
    of_float32 = ""
    if measured.float32_recall is not None:
        of_float32 = f" and about {measured.float32_recall:.3f} of that of float32 vectors"
    return (
        f"expected recall {measured.recall:.3f}{interval} of the exact top 10{of_float32},\n"
        f"measured with {measured.queries} of the documents as queries among {measured.sampled} "
        f"when the index held {measured.documents}"
    )
