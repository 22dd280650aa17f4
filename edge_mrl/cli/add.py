"""`edge-mrl add`: more documents for an index, each batch durable when it is reported."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from edge_mrl.cli.arguments import checked_corpus
from edge_mrl.cli.encoder_arguments import add_encoder_arguments, load_encoder_for, open_index
from edge_mrl.cli.output import Progress, documents, print_json, print_text
from edge_mrl.cli.plan_notices import PlanNotices
from edge_mrl.cli.vector_arguments import (
    add_vector_file_arguments,
    chosen_vector_file,
    refuse_column_arguments,
)
from edge_mrl.corpus import Corpus
from edge_mrl.errors import CorpusError, EdgeMrlError, InputError
from edge_mrl.index import Index, Record
from edge_mrl.vector_files import add_vector_file, check_vector_file

_IDS_AT_ONCE = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("index", type=Path, help="the index file")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--input", type=Path, help="a corpus: JSON lines with _id, text, title, metadata"
    )
    add_vector_file_arguments(parser, source)
    add_encoder_arguments(parser, optional_bundle=True)
    parser.add_argument(
        "--upsert", action="store_true", help="replace documents whose _id is taken"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    add = _corpus if arguments.vectors is None else _vectors
    notices = PlanNotices()
    added, count = add(arguments, notices)
    if arguments.json:
        print_json(
            {"index": str(arguments.index), "added": added, "documents": count}
            | {"plan_changes": notices.to_json()}
        )
    else:
        print_text(f"{arguments.index}: {documents(added)} added, {count} in all")
    return 0


def _corpus(arguments: argparse.Namespace, notices: PlanNotices) -> tuple[int, int]:
    refuse_column_arguments(arguments)
    corpus = checked_corpus(arguments.input)
    encoder = load_encoder_for(arguments.index, arguments, added=corpus.count)
    progress = Progress("adding", corpus.count, "documents")
    with open_index(arguments.index, encoder, arguments, notices) as index:
        if not arguments.upsert:
            _refuse_taken_ids(index, corpus)
        with _says_what_stays(progress):
            index.add_stream(corpus.records(), upsert=arguments.upsert, on_progress=progress.update)
        progress.finish()
        return corpus.count, index.count()


def _vectors(arguments: argparse.Namespace, notices: PlanNotices) -> tuple[int, int]:
    if arguments.bundle or arguments.variant or arguments.profile:
        raise InputError(
            "--bundle, --variant and --profile go with --input: vectors need no encoder"
        )
    file = chosen_vector_file(arguments)
    with open_index(arguments.index, None, arguments, notices) as index:
        count = check_vector_file(index, file, upsert=arguments.upsert)
        progress = Progress("adding", count, "vectors")
        with _says_what_stays(progress):
            add_vector_file(index, file, upsert=arguments.upsert, on_progress=progress.update)
        progress.finish()
        return count, index.count()


@contextmanager
def _says_what_stays(progress: Progress) -> Iterator[None]:
    """A file is added batch by batch, each for good; whoever stops in the middle must know."""
    try:
        yield
    except (EdgeMrlError, KeyboardInterrupt):
        if progress.done:
            progress.finish()
            print_text(
                f"edge-mrl: the first {progress.done} of {progress.total} are in the index and "
                "stay: --upsert goes through the file again",
                file=sys.stderr,
            )
        raise


def _refuse_taken_ids(index: Index, corpus: Corpus) -> None:
    """Find a taken id before the first batch, so that nothing is half added."""
    for records in _batches(corpus.records()):
        taken = index.get([record.id for record in records if record.id is not None])
        if taken:
            raise CorpusError(
                f"{corpus.path}: the _id {taken[0].id!r} is in the index already: "
                "give --upsert to replace such documents"
            )


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    source = iter(records)
    while batch := list(islice(source, _IDS_AT_ONCE)):
        yield batch
