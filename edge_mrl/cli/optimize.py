"""`edge-mrl optimize`: give back the space of deleted documents and measure the shortlist again."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_mrl.cli.output import format_bytes, print_json
from edge_mrl.index import Index
from edge_mrl.index.lexical import TOKENIZERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("index", type=Path, help="the index file")
    parser.add_argument(
        "--lexical",
        choices=tuple(TOKENIZERS),
        help="index the words of all documents for BM25, cut by this tokenizer",
    )
    parser.add_argument(
        "--payload-index",
        nargs="+",
        default=[],
        metavar="KEY",
        help="index metadata keys, so that filters on them are fast",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    with Index.open(arguments.index) as index:
        before = index.stats()
        if arguments.lexical is not None:
            index.create_lexical_index(arguments.lexical)
        for key in arguments.payload_index:
            index.create_payload_index(key)
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
