"""`edge-mrl delete`: removes documents from an index."""

from __future__ import annotations

import argparse

from edge_mrl.cli.document_ids import add_document_arguments, meant_id
from edge_mrl.cli.output import documents, print_json, print_text
from edge_mrl.index import Index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.description = (
        "Remove documents. Ids that are not there are passed over. `edge-mrl optimize` gives their "
        "space back."
    )
    add_document_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    with Index.open(arguments.index) as index:
        deleted = index.delete([meant_id(index, text) for text in arguments.ids])
        count = index.count()
    if arguments.json:
        print_json({"index": str(arguments.index), "deleted": deleted, "documents": count})
    else:
        print_text(f"{arguments.index}: {documents(deleted)} deleted, {count} left")
    return 0
