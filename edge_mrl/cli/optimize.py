"""`edge-mrl optimize`: give back the space of deleted documents and measure the shortlist again."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_mrl.cli.encoder_arguments import add_encoder_arguments, load_encoder_for, open_index
from edge_mrl.cli.output import Progress, documents, format_bytes, print_json, print_text
from edge_mrl.cli.token_argument import ALL, add_token_argument, token_argument
from edge_mrl.index.companions.lexical import TOKENIZERS


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
    add_token_argument(parser)
    add_encoder_arguments(parser, optional_bundle=True)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    token_vectors = token_argument(arguments)
    encoder = None
    if token_vectors is not None:
        encoder = load_encoder_for(arguments.index, arguments, token_vectors=True)
    with open_index(arguments.index, encoder, arguments) as index:
        before = index.stats()
        if arguments.lexical is not None:
            index.create_lexical_index(arguments.lexical)
        for key in arguments.payload_index:
            index.create_payload_index(key)
        if token_vectors is not None:
            progress = Progress("making token vectors", before.documents, "documents")
            index.create_token_index(
                slice=None if token_vectors == ALL else token_vectors, on_progress=progress.update
            )
            progress.finish()
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
        print_text(
            f"{arguments.index}: {documents(after.documents)}, {format_bytes(after.file_bytes)} "
            f"after {format_bytes(before.file_bytes)}; "
            f"a search rereads {after.shortlists[-1]} vectors, {before.shortlists[-1]} before"
        )
    return 0
