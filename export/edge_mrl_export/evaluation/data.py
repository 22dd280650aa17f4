"""Labelled data: retrieval in BEIR's layout, or pairs of sentences with a similarity."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_mrl.corpus import Corpus
from edge_mrl.errors import CorpusError, InputError

CORPUS, QUERIES, QRELS, PAIRS = "corpus.jsonl", "queries.jsonl", "qrels/test.tsv", "pairs.tsv"
MAX_TSV_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class RetrievalData:
    """A BEIR set: `judgements` holds each query's documents with their grades, by position; queries
    without a relevant document are left out."""

    name: str
    documents: tuple[str, ...]
    queries: tuple[str, ...]
    judgements: tuple[dict[int, int], ...]


@dataclass(frozen=True, slots=True)
class PairData:
    """An STS set: two sentences each, and how similar people found them."""

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class JudgedQueries:
    """Queries of a BEIR set without its corpus: `judgements` holds each query's documents by id."""

    name: str
    queries: tuple[str, ...]
    judgements: tuple[dict[str, int], ...]


def read_judged(folder: Path) -> JudgedQueries:
    """Read queries.jsonl and qrels/test.tsv, for documents that stand in an index.

    Raises:
        InputError: the folder does not hold them.
        CorpusError: a file is missing, empty, or has a line that cannot be read; names the line.
    """
    if not (folder / QUERIES).is_file():
        raise InputError(f"{folder} holds no {QUERIES}: give a folder in BEIR's layout")
    queries, places = _texts(folder / QUERIES)
    path = folder / QRELS
    judged: dict[int, dict[str, int]] = {}
    for number, (query, document, grade) in _rows(path):
        if number == 1 and not _is_whole(grade):
            continue
        judged.setdefault(_place(query, places, f"{path}, line {number}"), {})[document] = _grade(
            grade, f"{path}, line {number}"
        )
    kept = [place for place in sorted(judged) if any(grade > 0 for grade in judged[place].values())]
    if not kept:
        raise CorpusError(f"{path} judges no document as relevant: there is nothing to measure")
    return JudgedQueries(
        folder.resolve().name,
        tuple(queries[place] for place in kept),
        tuple(judged[place] for place in kept),
    )


def _place(query: str, places: dict[str, int], where: str) -> int:
    if query not in places:
        raise CorpusError(f"{where}: the query {query!r} is not in {QUERIES}")
    return places[query]


def _grade(text: str, where: str) -> int:
    if not _is_whole(text):
        raise CorpusError(f"{where}: the grade {text!r} is not a whole number")
    return int(text)


def read_data(folder: Path) -> RetrievalData | PairData:
    """Read a folder with corpus.jsonl, queries.jsonl and qrels/test.tsv, or with pairs.tsv.

    Raises:
        InputError: the folder holds neither.
        CorpusError: a file is missing, empty, or has a line that cannot be read; names the line.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}: give one with {CORPUS} or {PAIRS}")
    if (folder / CORPUS).is_file():
        return _read_retrieval(folder)
    if (folder / PAIRS).is_file():
        return _read_pairs(folder)
    raise InputError(
        f"{folder} holds no labelled data: it needs {CORPUS}, {QUERIES} and {QRELS} (BEIR layout), "
        f"or {PAIRS}"
    )


def _read_retrieval(folder: Path) -> RetrievalData:
    documents, document_places = _texts(folder / CORPUS)
    queries, query_places = _texts(folder / QUERIES)
    judged: dict[int, dict[int, int]] = {}
    path = folder / QRELS
    for number, (query, document, grade) in _rows(path):
        where = f"{path}, line {number}"
        if number == 1 and not _is_whole(grade):
            continue
        value, asked = _grade(grade, where), _place(query, query_places, where)
        if document not in document_places:
            raise CorpusError(f"{where}: the document {document!r} is not in {CORPUS}")
        judged.setdefault(asked, {})[document_places[document]] = value
    kept = [place for place in sorted(judged) if any(grade > 0 for grade in judged[place].values())]
    if not kept:
        raise CorpusError(f"{path} judges no document as relevant: there is nothing to measure")
    return RetrievalData(
        folder.resolve().name,
        documents,
        tuple(queries[place] for place in kept),
        tuple(judged[place] for place in kept),
    )


def _texts(path: Path) -> tuple[tuple[str, ...], dict[str, int]]:
    """The texts of a JSONL file, and the place of each id."""
    records = list(Corpus.check(path).records())
    return (
        tuple(record.text for record in records),
        {str(record.id): place for place, record in enumerate(records)},
    )


def _read_pairs(folder: Path) -> PairData:
    path = folder / PAIRS
    pairs: list[tuple[str, str, float]] = []
    for number, (first, second, score) in _rows(path):
        value = _number(score)
        if value is None and number > 1:
            raise CorpusError(f"{path}, line {number}: the score {score!r} is not a number")
        if value is not None:
            pairs.append((first, second, value))
    if len(pairs) < 2 or len({score for _, _, score in pairs}) < 2:
        raise CorpusError(f"{path} has fewer than two pairs of different scores: nothing to rank")
    first_texts, second_texts, scores = zip(*pairs, strict=True)
    return PairData(folder.resolve().name, first_texts, second_texts, scores)


def _rows(path: Path) -> Iterator[tuple[int, tuple[str, str, str]]]:
    """Line numbers and the three fields of a tab-separated file; the first may be a header."""
    if not path.is_file():
        raise CorpusError(f"there is no {path}: the folder is not whole")
    if path.stat().st_size > MAX_TSV_BYTES:
        raise CorpusError(f"{path} is larger than 1 GiB: it cannot be a set of judgements")
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8 text: {error.reason} at {error.start}") from error
    for number, line in enumerate(lines, 1):
        fields = line.rstrip("\r").split("\t")
        if fields == [""]:
            continue
        if len(fields) != 3:
            raise CorpusError(
                f"{path}, line {number}: {len(fields)} fields where three, parted by tabs, are "
                "needed"
            )
        yield number, (fields[0], fields[1], fields[2])


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
