"""`edge-mrl build`: a new index from a corpus. It stands whole at its place, or not at all."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_mrl.cli.encoder_arguments import add_encoder_arguments, load_encoder
from edge_mrl.cli.output import Progress, format_bytes, print_json
from edge_mrl.cli.stats import layout_as_json
from edge_mrl.corpus import Corpus
from edge_mrl.errors import InputError
from edge_mrl.index import build_index
from edge_mrl.index.lexical import TOKENIZERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("index", type=Path, help="the index file to make")
    parser.add_argument(
        "--input",
        type=Path,
        required=True,
        help="a corpus: JSON lines with _id, text, title, metadata",
    )
    add_encoder_arguments(parser, optional_bundle=False)
    parser.add_argument(
        "--lexical",
        choices=tuple(TOKENIZERS),
        help="index the words of the documents too, cut by this tokenizer, for BM25",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an index that is there")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    place: Path = arguments.index
    if place.exists() and not arguments.overwrite:
        raise InputError(f"{place} exists: `edge-mrl add` adds to it, --overwrite replaces it")
    corpus = Corpus.check(arguments.input)
    encoder = load_encoder(arguments, documents=corpus.count)
    progress = Progress("indexing", corpus.count, "documents")
    with build_index(
        place,
        encoder,
        corpus.records(),
        bundle=arguments.bundle,
        lexical=arguments.lexical,
        on_progress=progress.update,
    ) as index:
        progress.finish()
        stats = index.stats()
    if arguments.json:
        print_json(
            {
                "index": str(place),
                "documents": stats.documents,
                "bytes": stats.file_bytes,
                "variant": encoder.variant.name,
            }
            | layout_as_json(stats.layout)
        )
    else:
        print(
            f"{place}: {stats.documents} documents, {format_bytes(stats.file_bytes)}, "
            f"{stats.layout}, embedded with {encoder.variant.name}"
        )
    return 0
