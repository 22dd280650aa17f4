"""`edge-mrl search`: the documents of an index that are most like a query."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from edge_mrl.cli.document_ids import meant_id
from edge_mrl.cli.encoder_arguments import add_encoder_arguments, load_encoder_for, open_index
from edge_mrl.cli.explain_table import format_explanation
from edge_mrl.cli.json_argument import json_argument
from edge_mrl.cli.output import Progress, one_line, print_json, print_json_line, print_text
from edge_mrl.cli.query_file import QueryFile, holds_objects
from edge_mrl.cli.vector_arguments import query_vector
from edge_mrl.errors import InputError
from edge_mrl.index import Hit, Index, QueryResult
from edge_mrl.index.writing.batch import batches, check_k
from edge_mrl.retrieval import (
    Filter,
    Lexical,
    Prefetch,
    Question,
    SimilarTo,
    parse_filter,
    parse_question,
)
from edge_mrl.retrieval.question_parser import parse_query_value
from edge_mrl.retrieval.request import DENSE, QueryValue, Using
from edge_mrl.slices import Slice

_BRANCH = 100
"""Documents that each branch of a fusion hands on, or ten times the hits wanted."""
_TOGETHER = 256
"""Queries of a file whose vectors are held at once."""
_STAGED = ("using", "funnel", "fusion", "score_threshold", "group_by", "offset", "similar_to")
"""Flags that an exact search has no use for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("index", type=Path, help="the index file")
    parser.add_argument("query", nargs="?", help="what is searched for, in words")
    parser.add_argument(
        "--vector",
        metavar="V",
        help="search with a vector instead: a JSON list of numbers, or a file that holds one",
    )
    parser.add_argument(
        "--sparse",
        metavar="JSON",
        help='search with a sparse vector instead: {"indices": [3, 17], "values": [0.5, 2]}, or a '
        "file that holds one",
    )
    parser.add_argument(
        "--query",
        dest="json_query",
        metavar="JSON",
        help="a whole query with its stages and branches instead, as docs/retrieval.md says, or a "
        "file that holds one",
    )
    parser.add_argument(
        "--queries",
        type=Path,
        metavar="FILE",
        help="many queries instead: a text a line, each asked with the other flags, or a whole "
        "query as JSON a line; prints the hits of each as a line of JSON",
    )
    parser.add_argument("-k", type=int, help="hits wanted (default 10)")
    parser.add_argument(
        "--offset", type=int, default=0, metavar="N", help="hits to leave out, for paging"
    )
    parser.add_argument("--exact", action="store_true", help="compare with every vector")
    parser.add_argument(
        "--filter",
        metavar="JSON",
        help="which documents may be hits, by their metadata: a filter as docs/retrieval.md says",
    )
    parser.add_argument(
        "--using",
        metavar="DxB|lexical|tokens",
        help="score with this slice alone, by BM25, or by token vectors (default: the index's own "
        "stages)",
    )
    parser.add_argument(
        "--funnel",
        metavar="DxB:N,...",
        help="stages before the last, each a slice (or dense, for the index's own stages) and how "
        "many documents it hands on, as in 16x8:200,64x8:50",
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
        metavar="ID",
        help="search for what is like this document instead",
    )
    parser.add_argument("--explain", action="store_true", help="show what each stage did")
    add_encoder_arguments(parser, optional_bundle=True)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    given = [arguments.query, arguments.vector, arguments.sparse, arguments.similar_to]
    given += [arguments.json_query, arguments.queries]
    if sum(value is not None for value in given) != 1:
        raise InputError(
            "give one thing that is searched for: words, --vector, --sparse, --similar-to, --query "
            "or --queries"
        )
    if arguments.queries is not None:
        return _many(arguments)
    question = _question(arguments)
    with _opened(arguments, embeds=question.embeds) as index:
        result = index.ask(_with_document(index, question))
    if arguments.json:
        print_json(result.as_json())
    else:
        _show(result)
    return 0


def _opened(arguments: argparse.Namespace, *, embeds: bool) -> Index:
    encoder = None
    if embeds:
        # More threads than one make a single short text slower.
        encoder = load_encoder_for(arguments.index, arguments, threads=1)
    return open_index(arguments.index, encoder, arguments)


def _many(arguments: argparse.Namespace) -> int:
    """Answers a file of queries, a line of JSON each, in their order."""
    plain: Question | None = None
    if holds_objects(arguments.queries):
        _refuse_beside_query("--queries", arguments)
        file = QueryFile.check(arguments.queries, None)
    else:
        base = _from_flags(arguments, "")
        file = QueryFile.check(
            arguments.queries, lambda text: replace(base, query=_of_words(text, arguments))
        )
        if base == Question("", limit=base.limit, filter=base.filter):
            plain = base
    progress = Progress("searching", file.count, "queries")
    with _opened(arguments, embeds=file.embeds) as index:
        if plain is None:
            answers = _asked_alone(index, file, explain=arguments.explain)
        else:
            answers = _asked_together(index, file, plain, arguments.threads or os.cpu_count() or 1)
        for done, (line, found) in enumerate(answers, 1):
            print_json_line({"line": line} | found.as_json())
            progress.update(done)
    progress.finish()
    return 0


def _asked_alone(
    index: Index, file: QueryFile, *, explain: bool
) -> Iterator[tuple[int, QueryResult]]:
    for line, question in file.questions():
        asked = replace(question, explain=True) if explain else question
        yield line, index.ask(_with_document(index, asked))


def _asked_together(
    index: Index, file: QueryFile, plain: Question, threads: int
) -> Iterator[tuple[int, QueryResult]]:
    """Searches without stages of their own: several share a scan."""
    for part in batches(file.questions(), _TOGETHER):
        texts = [str(question.query) for _, question in part]
        checked = plain.filter if isinstance(plain.filter, Filter) else None
        found = index.search_many(texts, plain.limit, threads=threads, filter=checked)
        for (line, _), hits in zip(part, found, strict=True):
            yield line, QueryResult(hits)


def _question(arguments: argparse.Namespace) -> Question:
    """What the flags ask, or what `--query` says."""
    if arguments.json_query is not None:
        _refuse_beside_query("--query", arguments)
        value = json_argument(arguments.json_query, "--query")
        question = parse_question(value, "--query")
        return replace(question, explain=question.explain or arguments.explain)
    return _from_flags(arguments, _query(arguments))


def _from_flags(arguments: argparse.Namespace, query: QueryValue) -> Question:
    if arguments.exact:
        _refuse_beside("--exact", arguments, (*_STAGED, "explain"))
    stages = _funnel(arguments.funnel)
    k = 10 if arguments.k is None else check_k(arguments.k)
    prefetch: Sequence[Prefetch] = () if stages is None else (stages,)
    if arguments.fusion is not None:
        limit = max(_BRANCH, 10 * (k + arguments.offset))
        dense = Prefetch(prefetch=prefetch, using="dense", limit=limit)
        prefetch = (dense, Prefetch(using="lexical", limit=limit))
    return Question(
        query=query,
        prefetch=prefetch,
        using=arguments.using,
        fusion=arguments.fusion,
        limit=k,
        offset=arguments.offset,
        filter=_filter(arguments.filter),
        score_threshold=arguments.score_threshold,
        group_by=arguments.group_by,
        explain=arguments.explain,
        exact=arguments.exact,
    )


def _refuse_beside(flag: str, arguments: argparse.Namespace, others: Sequence[str]) -> None:
    for name in others:
        if getattr(arguments, name) not in (None, False, 0):
            raise InputError(f"{flag} and --{name.replace('_', '-')} do not go together")


def _refuse_beside_query(flag: str, arguments: argparse.Namespace) -> None:
    """A whole query says everything itself."""
    _refuse_beside(flag, arguments, (*_STAGED, "filter", "exact"))
    if arguments.k is not None:
        raise InputError(f'{flag} and -k do not go together: write "limit" in the query')


def _filter(text: str | None) -> Filter | None:
    return None if text is None else parse_filter(json_argument(text, "--filter"), "--filter")


def _query(arguments: argparse.Namespace) -> QueryValue:
    if arguments.similar_to is not None:
        return SimilarTo(arguments.similar_to)
    if arguments.vector is not None:
        return query_vector(arguments.vector)
    if arguments.sparse is not None:
        return parse_query_value(json_argument(arguments.sparse, "--sparse"), "--sparse")
    return _of_words(arguments.query, arguments)


def _of_words(text: str, arguments: argparse.Namespace) -> QueryValue:
    """What a text asks beside the flags."""
    return Lexical(text) if arguments.using == "lexical" else text


def _with_document(index: Index, question: Question) -> Question:
    asked = question.query
    if not isinstance(asked, SimilarTo):
        return question
    return replace(question, query=SimilarTo(meant_id(index, str(asked.id))))


def _funnel(text: str | None) -> Prefetch | None:
    """Stages written as ``16x8:200,64x8:50`` or ``dense:50``, each looking at what the one before
    it kept."""
    stage: Prefetch | None = None
    for part in [] if text is None else text.split(","):
        slice_, _, limit = part.partition(":")
        if not limit.isdecimal():
            raise InputError(
                f"--funnel: cannot read {part!r}: write a slice and a number, as in 16x8:200"
            )
        using: Using = DENSE if slice_ == DENSE else Slice.parse(slice_)
        stage = Prefetch(using=using, limit=int(limit), prefetch=stage or ())
    return stage


def _show(result: QueryResult) -> None:
    width = shutil.get_terminal_size().columns
    if not result.hits:
        print_text("no document was found")
    for group in result.groups or ():
        print_text(one_line(group.value))
        for hit in group.hits:
            print_text("  " + _line(hit, width - 2))
    for hit in result.hits if result.groups is None else ():
        print_text(_line(hit, width))
    if result.explanation is not None:
        print_text()
        print_text(format_explanation(result.explanation))


def _line(hit: Hit, width: int) -> str:
    line = f"{hit.score:.3f}  {one_line(hit.id)}  {one_line(hit.text)}"
    return line if len(line) <= width else line[: max(width - 4, 1)].rstrip() + " ..."
