"""Reading a corpus: JSON lines with `_id` and `text`, optionally `title` and `metadata`, as BEIR
writes them.

A corpus is checked from end to end before its first line is used, so that a bad line never leaves
half of it in an index."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_mrl.errors import CorpusError, InputError
from edge_mrl.index import Record
from edge_mrl.index.writing.batch import check_id, check_text, metadata_json
from edge_mrl.json_lines import read_objects

_FIELDS = {"_id", "text", "title", "metadata"}
_FIELDS_NEEDED = "_id and text"
_UNUSED_NAMED = 5


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus file that was checked: `records` cannot fail unless the file changes meanwhile.

    Attributes:
        path: the file.
        count: documents in it.
        text_bytes: of UTF-8 that an index keeps of one, text and metadata, on average.
        id_bytes: of an id, on average: UTF-8, or what a whole number takes.
        unused: other fields that its lines have, which are not read.
    """

    path: Path
    count: int
    text_bytes: float
    id_bytes: float
    unused: tuple[str, ...] = ()

    @classmethod
    def check(cls, path: Path) -> Corpus:
        """Read the whole file once.

        Raises:
            CorpusError: there is no such file, it has no documents, a line is not a document (the
                message gives its number), or an `_id` comes twice.
        """
        if not path.is_file():
            # A pipe could be read only once.
            missing = f"{path} is no file" if path.exists() else f"there is no corpus at {path}"
            raise CorpusError(f"{missing}: give a file of JSON lines with _id and text")
        # Eight bytes an id: all ids of a million documents would take more than a small board has.
        hashes = array("q")
        unused: set[str] = set()
        texts = ids = 0
        for number, document, record in _read(path):
            assert record.id is not None
            hashes.append(hash(record.id))
            if len(unused) < _UNUSED_NAMED:
                unused |= document.keys() - _FIELDS
            texts += len(record.text.encode(errors="replace"))
            try:
                texts += len(metadata_json(record.metadata, "the document"))
            except InputError as error:
                raise CorpusError(f"{path}, line {number}: {error}") from error
            ids += _id_bytes(record.id)
        if not hashes:
            raise CorpusError(f"{path} is empty: a corpus has at least one line with _id and text")
        _refuse_repeated(path, hashes)
        named = tuple(sorted(unused)[:_UNUSED_NAMED])
        return cls(path, len(hashes), texts / len(hashes), ids / len(hashes), named)

    def records(self) -> Iterator[Record]:
        """The documents in the order of the file, one at a time."""
        for _, _, record in _read(self.path):
            yield record


def _refuse_repeated(path: Path, hashes: array[int]) -> None:
    """Refuse an id that comes twice. Only ids whose hashes are equal are compared."""
    ordered = np.sort(np.frombuffer(hashes, dtype=np.int64))
    suspects = frozenset(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
    if not suspects:
        return
    lines: dict[int | str, int] = {}
    for number, document in read_objects(path, CorpusError, fields=_FIELDS_NEEDED):
        identifier = _record(document, f"{path}, line {number}").id
        if identifier is None or hash(identifier) not in suspects:
            continue
        first = lines.setdefault(identifier, number)
        if first != number:
            raise CorpusError(
                f"{path}, line {number}: the _id {identifier!r} was given on line {first} already"
            )


def _id_bytes(identifier: int | str) -> int:
    """What SQLite takes for an id."""
    if isinstance(identifier, str):
        return len(identifier.encode(errors="replace"))
    return identifier.bit_length() // 8 + 1


def _read(path: Path) -> Iterator[tuple[int, dict[str, object], Record]]:
    for number, document in read_objects(path, CorpusError, fields=_FIELDS_NEEDED):
        yield number, document, _record(document, f"{path}, line {number}")


def _record(document: dict[str, object], where: str) -> Record:
    identifier = document.get("_id")
    if isinstance(identifier, bool) or not isinstance(identifier, int | str):
        raise CorpusError(f"{where}: the field '_id' must be text or a whole number")
    text, title, metadata = (
        document.get("text"),
        document.get("title", ""),
        document.get("metadata", {}),
    )
    if not isinstance(text, str) or not isinstance(title, str):
        raise CorpusError(
            f"{where}: the fields 'text' and 'title' must be text, and 'text' must be there"
        )
    if not isinstance(metadata, dict):
        raise CorpusError(f"{where}: the field 'metadata' must be an object")
    joined = f"{title} {text}".strip()
    try:
        check_id(identifier)
        check_text(joined, "the text")
    except InputError as error:
        raise CorpusError(f"{where}: {error}") from error
    found: dict[str, object] = {"title": title} if title else {}
    return Record(text=joined, id=identifier, metadata=found | metadata)
