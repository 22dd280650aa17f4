"""`edge-mrl get`: documents of an index by their ids."""

from __future__ import annotations

import argparse

from edge_mrl.cli.document_ids import add_document_arguments, meant_id
from edge_mrl.cli.output import print_json, print_json_line
from edge_mrl.errors import InputError
from edge_mrl.index import Index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.description = (
        "Print documents as lines of JSON, as `edge-mrl build --input` and `add --input` take them."
    )
    add_document_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    with Index.open(arguments.index) as index:
        wanted = [meant_id(index, text) for text in arguments.ids]
        found = index.get(wanted)
    missing = set(wanted) - {document.id for document in found}
    if missing:
        first = next(id_ for id_ in wanted if id_ in missing)
        raise InputError(f"the index has no document {first!r}: give ids of documents in it")
    lines: list[dict[str, object]] = [
        {"_id": document.id, "text": document.text, "metadata": document.metadata}
        for document in found
    ]
    if arguments.json:
        print_json({"documents": lines})
    else:
        for line in lines:
            print_json_line(line)
    return 0
