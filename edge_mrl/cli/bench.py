"""`edge-mrl bench`: what the planner predicts for a bundle on this device, beside what is
measured."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from edge_mrl.backends import installed_engines
from edge_mrl.bench import Comparison, compare, whole_comparison
from edge_mrl.bundle import Bundle
from edge_mrl.cli.encoder_arguments import document_count
from edge_mrl.cli.output import format_table, print_json, print_text
from edge_mrl.errors import InputError
from edge_mrl.planning import AUTO, BundleFacts, Plan, load_profile
from edge_mrl.planning.words import mebibytes, milliseconds, number, percent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("bundle", type=Path, help="the bundle folder")
    parser.add_argument(
        "--docs",
        type=document_count,
        default=10_000,
        metavar="N",
        help="documents of the index that is made for it (default %(default)s)",
    )
    parser.add_argument(
        "--profile", default=AUTO, metavar="P", help="default `auto`: this machine, as calibrated"
    )
    parser.add_argument("--folder", type=Path, help="where the index is made, and removed again")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    facts = BundleFacts.from_manifest(Bundle.open(arguments.bundle).manifest)
    profile = load_profile(arguments.profile, engines=installed_engines())
    documents = max(arguments.docs, 1)
    if arguments.folder is not None and not arguments.folder.is_dir():
        raise InputError(f"there is no folder {arguments.folder}: make it, or name another one")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        made, measured = whole_comparison(arguments.bundle, facts, profile, documents, Path(folder))
    rows = compare(made, measured)
    if arguments.json:
        print_json({"plan": made.to_json(), "compared": [_plain(row) for row in rows]})
    else:
        print_text(_table(made, rows))
    return 0


def _plain(row: Comparison) -> dict[str, object]:
    return {
        "what": row.what,
        "unit": row.unit,
        "predicted": row.predicted,
        "measured": row.measured,
    }


def _table(made: Plan, rows: tuple[Comparison, ...]) -> str:
    cells = [
        (row.what, _said(row, row.predicted), _said(row, row.measured), f"{row.ratio:.2f}")
        for row in rows
    ]
    place = "in memory" if made.scan_home == "ram" else "in the file"
    head = (
        f"{made.device}, {number(made.documents)} documents: {made.variant}, {made.layout}, scan "
        f"codes {place}; vectors are drawn, texts are not embedded"
    )
    return f"{head}\n\n{format_table(('', 'predicted', 'measured', 'ratio'), cells)}"


def _said(row: Comparison, value: float) -> str:
    if row.unit == "bytes":
        return mebibytes(value)
    return milliseconds(1e3 * value) if row.unit == "seconds" else percent(value)
