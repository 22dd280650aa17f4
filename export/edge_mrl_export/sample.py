"""The texts on which slices are measured: the user's own, or this machine's Python
documentation."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from edge_mrl.errors import ExportError
from edge_mrl_export.pydocs import standard_library_docs

MAX_DOCUMENTS = 2000
MAX_QUERIES = 500
MIN_PAIRS = 20
MIN_CHARACTERS = 40
MAX_TEXT_FILE_BYTES = 2**30
T = TypeVar("T")
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|\n\s*\n")


@dataclass(frozen=True, slots=True)
class Sample:
    """Self-labelled retrieval: the answer to query i is document `answers[i]`.

    The first sentence of a text serves as the query, the rest of it as the document; nobody judged
    them."""

    origin: str
    queries: tuple[str, ...]
    documents: tuple[str, ...]
    answers: tuple[int, ...]


@cache
def default_sample() -> Sample:
    """A sample of the documentation of this machine's Python standard library."""
    return make_sample(
        [doc.text for doc in standard_library_docs()], "the Python standard library's documentation"
    )


def sample_from_file(path: Path) -> Sample:
    """A sample of a JSONL corpus (the field ``text``), or of a plain file with one text a line.

    Raises:
        ExportError: the file cannot be read, or has too few texts of two sentences or more.
    """
    return make_sample(texts_from_file(path), path.name)


def texts_from_file(path: Path) -> list[str]:
    """The texts of such a file in its order; blank lines are none.

    Raises:
        ExportError: the file is missing, too large, not UTF-8, or has a line that is no text.
    """
    if not path.is_file():
        raise ExportError(f"there is no text file at {path}")
    if path.stat().st_size > MAX_TEXT_FILE_BYTES:
        raise ExportError(f"{path} is larger than 1 GiB: a few thousand texts are enough")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ExportError(
            f"{path} is not UTF-8 text: {error.reason} at byte {error.start}"
        ) from error
    return [_text_of(line, path, number) for number, line in enumerate(lines, 1) if line.strip()]


def make_sample(texts: Sequence[str], origin: str) -> Sample:
    """Split texts into queries and documents, and keep an even selection of them.

    Raises:
        ExportError: fewer than 20 texts have two sentences or more.
    """
    pairs = [pair for text in dict.fromkeys(texts) if (pair := _split(text)) is not None]
    if len(pairs) < MIN_PAIRS:
        raise ExportError(
            f"{origin} gives {len(pairs)} texts of two sentences or more, and at least "
            f"{MIN_PAIRS} are needed to "
            "measure what a slice keeps: give a longer file with --texts"
        )
    kept = evenly(pairs, MAX_DOCUMENTS)
    asked = evenly(range(len(kept)), MAX_QUERIES)
    return Sample(
        origin, tuple(kept[i][0] for i in asked), tuple(rest for _, rest in kept), tuple(asked)
    )


def evenly(items: Sequence[T], count: int) -> list[T]:
    """At most `count` of the items, spread evenly, in their order."""
    if len(items) <= count:
        return list(items)
    return [items[position * len(items) // count] for position in range(count)]


def _split(text: str) -> tuple[str, str] | None:
    first, _, rest = (part.strip() for part in _partition(text))
    if len(first.split()) < 3 or len(rest) < MIN_CHARACTERS:
        return None
    return first, rest


def _partition(text: str) -> tuple[str, str, str]:
    match = _SENTENCE_END.search(text)
    return (
        (text, "", "") if match is None else (text[: match.start()], match[0], text[match.end() :])
    )


def _text_of(line: str, path: Path, number: int) -> str:
    if not line.lstrip().startswith("{"):
        return line
    try:
        text = json.loads(line)["text"]
    except (ValueError, KeyError, RecursionError):
        text = None
    if not isinstance(text, str):
        raise ExportError(f"{path}, line {number}: not a JSON object with a field 'text'")
    return text
