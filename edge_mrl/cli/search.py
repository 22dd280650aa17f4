"""`edge-mrl search`: the documents of an index that are most like a query."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path

from edge_mrl.cli.encoder_arguments import add_encoder_arguments, load_encoder_for, open_index
from edge_mrl.cli.explain_table import explanation_as_json, format_explanation
from edge_mrl.cli.output import print_json
from edge_mrl.cli.vector_arguments import query_vector
from edge_mrl.errors import InputError
from edge_mrl.index import Hit, Index, QueryResult
from edge_mrl.index.batch import check_k
from edge_mrl.retrieval import Lexical, Prefetch, SimilarTo
from edge_mrl.retrieval.json_text import filter_from_json
from edge_mrl.retrieval.request import QueryValue
from edge_mrl.slices import Slice

_BRANCH = 100
"""Documents that each branch of a fusion hands on, or ten times the hits wanted."""


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
    parser.add_argument("--offset", type=int, default=0, help="hits to leave out, for paging")
    parser.add_argument("--exact", action="store_true", help="compare with every vector")
    parser.add_argument(
        "--filter",
        metavar="JSON",
        help="which documents may be hits, by their metadata: a filter as docs/retrieval.md says",
    )
    parser.add_argument(
        "--using",
        metavar="DxB|lexical|tokens",
        help="score with this slice alone, by BM25, or, with --similar-to, by token vectors "
        "(default: the index's own stages)",
    )
    parser.add_argument(
        "--funnel",
        metavar="DxB:N,...",
        help="stages before the last, each a slice and how many documents it hands on, as in "
        "16x8:200,64x8:50",
    )
    parser.add_argument(
        "--fusion",
        choices=("rrf", "dbsf"),
        help="search by vectors and by words, and put the two lists together",
    )
    parser.add_argument(
        "--score-threshold", type=float, metavar="S", help="leave out hits that score less"
    )
    parser.add_argument("--group-by", metavar="KEY", help="put hits with the same value together")
    parser.add_argument(
        "--similar-to",
        action="store_true",
        help="the query is the id of a document; find what is like it",
    )
    parser.add_argument("--explain", action="store_true", help="show what each stage did")
    add_encoder_arguments(parser, optional_bundle=True)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    if (arguments.query is None) == (arguments.vector is None):
        raise InputError("give what is searched for: words, or --vector")
    filter_ = None if arguments.filter is None else filter_from_json(arguments.filter, "--filter")
    stages = _funnel(arguments.funnel)
    check_k(arguments.k)
    words_alone = arguments.using == "lexical" and stages is None and arguments.fusion is None
    encoder = None
    if arguments.vector is None and not arguments.similar_to and not words_alone:
        # More threads than one make a single short text slower.
        encoder = load_encoder_for(arguments.index, arguments, threads=1)
    with open_index(arguments.index, encoder, arguments) as index:
        if arguments.exact:
            _refuse_with_exact(arguments)
            asked = arguments.query if arguments.vector is None else query_vector(arguments.vector)
            result = QueryResult(index.search(asked, arguments.k, filter=filter_, exact=True))
        else:
            prefetch: Sequence[Prefetch] = () if stages is None else (stages,)
            if arguments.fusion is not None:
                limit = max(_BRANCH, 10 * (arguments.k + arguments.offset))
                dense = Prefetch(prefetch=prefetch, using="dense", limit=limit)
                prefetch = (dense, Prefetch(using="lexical", limit=limit))
            result = index.query(
                _query(index, arguments),
                prefetch=prefetch,
                using=arguments.using,
                fusion=arguments.fusion,
                limit=arguments.k,
                offset=arguments.offset,
                filter=filter_,
                score_threshold=arguments.score_threshold,
                group_by=arguments.group_by,
                explain=arguments.explain,
            )
    if arguments.json:
        print_json(result_as_json(result))
    else:
        _show(result)
    return 0


def _refuse_with_exact(arguments: argparse.Namespace) -> None:
    for name in ("using", "funnel", "fusion", "score_threshold", "group_by"):
        if getattr(arguments, name) is not None:
            raise InputError(f"--exact and --{name.replace('_', '-')} do not go together")
    for name in ("offset", "similar_to", "explain"):
        if getattr(arguments, name):
            raise InputError(f"--exact and --{name.replace('_', '-')} do not go together")


def _query(index: Index, arguments: argparse.Namespace) -> QueryValue:
    if arguments.vector is not None:
        if arguments.similar_to:
            raise InputError("--similar-to takes the id of a document, not --vector")
        return query_vector(arguments.vector)
    if arguments.similar_to:
        text: str = arguments.query
        number = text.removeprefix("-").isdecimal() and not index.get([text])
        return SimilarTo(int(text) if number else text)
    return Lexical(arguments.query) if arguments.using == "lexical" else str(arguments.query)


def _funnel(text: str | None) -> Prefetch | None:
    """Stages written as ``16x8:200,64x8:50``, each looking at what the one before it kept."""
    stage: Prefetch | None = None
    for part in [] if text is None else text.split(","):
        slice_, _, limit = part.partition(":")
        if not limit.isdecimal():
            raise InputError(
                f"--funnel: cannot read {part!r}: write a slice and a number, as in 16x8:200"
            )
        stage = Prefetch(slice=Slice.parse(slice_), limit=int(limit), prefetch=stage or ())
    return stage


def _show(result: QueryResult) -> None:
    width = shutil.get_terminal_size().columns
    for group in result.groups or ():
        print(f"{group.value}")
        for hit in group.hits:
            print("  " + _line(hit, width - 2))
    for hit in result.hits if result.groups is None else ():
        print(_line(hit, width))
    if result.explanation is not None:
        print()
        print(format_explanation(result.explanation))


def _line(hit: Hit, width: int) -> str:
    line = f"{hit.score:.3f}  {hit.id}  {' '.join(hit.text.split())}"
    return textwrap.shorten(line, width, placeholder=" ...")


def result_as_json(result: QueryResult) -> dict[str, object]:
    """A result as plain values for a JSON document."""
    found: dict[str, object] = {"hits": [hit.as_json() for hit in result.hits]}
    if result.groups is not None:
        found["groups"] = [
            {"value": group.value, "hits": [hit.as_json() for hit in group.hits]}
            for group in result.groups
        ]
    if result.explanation is not None:
        found["stages"] = explanation_as_json(result.explanation)
    return found
