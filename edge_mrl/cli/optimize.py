"""`edge-mrl optimize`: give back the space of deleted documents and measure the shortlist again."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_mrl.cli.output import format_bytes, print_json
from edge_mrl.index import Index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("index", type=Path, help="the index file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    with Index.open(arguments.index) as index:
        before = index.stats()
        index.optimize()
        after = index.stats()
    if arguments.json:
        print_json(
            {
                "index": str(arguments.index),
                "documents": after.documents,
                "bytes_before": before.file_bytes,
                "bytes": after.file_bytes,
                "shortlists_before": before.shortlists,
                "shortlists": after.shortlists,
            }
        )
    else:
        print(
            f"{arguments.index}: {after.documents} documents, {format_bytes(after.file_bytes)} "
            f"after {format_bytes(before.file_bytes)}; "
            f"a search rereads {after.shortlists[-1]} vectors, {before.shortlists[-1]} before"
        )
    return 0
