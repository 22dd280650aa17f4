"""`edge-mrl reslice`: a smaller index for a smaller device, cut from one that is there."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_mrl.cli.layout_arguments import add_layout_arguments, chosen_codes
from edge_mrl.cli.output import Progress, documents, format_bytes, print_json, print_text
from edge_mrl.cli.stats import layout_as_json
from edge_mrl.errors import InputError
from edge_mrl.index import Index, reslice_index
from edge_mrl.index.format.layout import STORED_BITS
from edge_mrl.slices import Slice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("index", type=Path, help="the index file to cut")
    parser.add_argument(
        "--dim", type=int, required=True, help="dimensions to keep of each vector, a trained size"
    )
    parser.add_argument(
        "--bits",
        type=int,
        choices=STORED_BITS,
        help="bits of a stored coordinate (default: as they are)",
    )
    add_layout_arguments(parser)
    parser.add_argument(
        "--token-vectors",
        metavar="DxB",
        help="what to keep of each token vector (default: as they are)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="the index file to make"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an index that is there")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    place: Path = arguments.output
    if place.exists() and not arguments.overwrite:
        raise InputError(f"{place} exists: give another path, --overwrite replaces it")
    scan, refine = chosen_codes(arguments)
    tokens = None if arguments.token_vectors is None else Slice.parse(arguments.token_vectors)
    with Index.open(arguments.index) as source:
        before = source.stats()
    progress = Progress("cutting", before.documents, "documents")
    with reslice_index(
        arguments.index,
        place,
        arguments.dim,
        bits=arguments.bits,
        scan=scan,
        refine=refine,
        token_slice=tokens,
        on_progress=progress.update,
    ) as index:
        progress.finish()
        after = index.stats()
    if arguments.json:
        print_json(
            {
                "index": str(place),
                "documents": after.documents,
                "bytes": after.file_bytes,
                "bytes_before": before.file_bytes,
            }
            | layout_as_json(after.layout)
        )
    else:
        print_text(
            f"{place}: {documents(after.documents)}, {format_bytes(after.file_bytes)} "
            f"instead of {format_bytes(before.file_bytes)}, {after.layout}"
        )
    return 0
