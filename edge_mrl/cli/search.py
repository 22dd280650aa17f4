"""`edge-mrl search`: the documents of an index that are most like a query."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from pathlib import Path

from edge_mrl.cli.encoder_arguments import add_encoder_arguments, load_encoder_for
from edge_mrl.cli.output import print_json
from edge_mrl.index import Hit, Index
from edge_mrl.retrieval.json_text import filter_from_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("index", type=Path, help="the index file")
    parser.add_argument("query", help="what is searched for, in words")
    parser.add_argument("-k", type=int, default=10, help="hits wanted (default 10)")
    parser.add_argument(
        "--filter",
        metavar="JSON",
        help="which documents may be hits, by their metadata: a filter as docs/retrieval.md says",
    )
    parser.add_argument("--exact", action="store_true", help="compare with every vector")
    add_encoder_arguments(parser, optional_bundle=True)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    filter_ = None if arguments.filter is None else filter_from_json(arguments.filter, "--filter")
    # More threads than one make a single short text slower.
    encoder = load_encoder_for(arguments.index, arguments, threads=1)
    with Index.open(arguments.index, encoder) as index:
        hits = index.search(arguments.query, arguments.k, filter=filter_, exact=arguments.exact)
    if arguments.json:
        print_json({"hits": [hit_as_json(hit) for hit in hits]})
    else:
        width = shutil.get_terminal_size().columns
        for hit in hits:
            line = f"{hit.score:.3f}  {hit.id}  {' '.join(hit.text.split())}"
            print(textwrap.shorten(line, width, placeholder=" ..."))
    return 0


def hit_as_json(hit: Hit) -> dict[str, object]:
    """A hit as plain values for a JSON document."""
    return {"id": hit.id, "score": hit.score, "text": hit.text, "metadata": hit.metadata}
