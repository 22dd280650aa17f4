"""`edge-mrl search`: the documents of an index that are most like a query."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from pathlib import Path

from edge_mrl.cli.encoder_arguments import add_encoder_arguments, load_encoder_for
from edge_mrl.cli.output import print_json
from edge_mrl.cli.vector_arguments import query_vector
from edge_mrl.errors import InputError
from edge_mrl.index import Index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("index", type=Path, help="the index file")
    parser.add_argument("query", nargs="?", help="what is searched for, in words")
    parser.add_argument(
        "--vector",
        metavar="V",
        help="search with a vector instead: a JSON list of numbers, or a file that holds one",
    )
    parser.add_argument("-k", type=int, default=10, help="hits wanted (default 10)")
    parser.add_argument("--exact", action="store_true", help="compare with every vector")
    add_encoder_arguments(parser, optional_bundle=True)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    if (arguments.query is None) == (arguments.vector is None):
        raise InputError("give what is searched for: words, or --vector")
    encoder, query = None, arguments.query
    if arguments.vector is None:
        # More threads than one make a single short text slower.
        encoder = load_encoder_for(arguments.index, arguments, threads=1)
    else:
        query = query_vector(arguments.vector)
    with Index.open(arguments.index, encoder) as index:
        hits = index.search(query, arguments.k, exact=arguments.exact)
    if arguments.json:
        print_json({"hits": [hit.as_json() for hit in hits]})
    else:
        width = shutil.get_terminal_size().columns
        for hit in hits:
            line = f"{hit.score:.3f}  {hit.id}  {' '.join(hit.text.split())}"
            print(textwrap.shorten(line, width, placeholder=" ..."))
    return 0
