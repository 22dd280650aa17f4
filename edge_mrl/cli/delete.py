"""`edge-mrl delete`: removes documents from an index."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_mrl.cli.document_ids import meant_id
from edge_mrl.cli.output import documents, print_json
from edge_mrl.index import Index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.description = (
        "Remove documents. Ids that are not there are passed over. `edge-mrl optimize` gives their "
        "space back."
    )
    parser.add_argument("index", type=Path, help="the index file")
    parser.add_argument("ids", nargs="+", metavar="ID", help="ids of documents")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    with Index.open(arguments.index) as index:
        deleted = index.delete([meant_id(index, text) for text in arguments.ids])
        count = index.count()
    if arguments.json:
        print_json({"index": str(arguments.index), "deleted": deleted, "documents": count})
    else:
        print(f"{arguments.index}: {documents(deleted)} deleted, {count} left")
    return 0
