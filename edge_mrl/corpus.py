"""Reading a corpus: JSON lines with `_id` and `text`, optionally `title` and `metadata`, as BEIR
writes them.

A corpus is checked from end to end before its first line is used, so that a bad line never leaves
half of it in an index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_mrl.errors import CorpusError
from edge_mrl.index import Record
from edge_mrl.json_lines import read_objects


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus file that was checked: `records` cannot fail unless the file changes meanwhile."""

    path: Path
    count: int

    @classmethod
    def check(cls, path: Path) -> Corpus:
        """Read the whole file once.

        Raises:
            CorpusError: there is no such file, it has no documents, a line is not a document (the
                message gives its number), or an `_id` comes twice.
        """
        if not path.is_file():
            raise CorpusError(
                f"there is no corpus at {path}: give a file of JSON lines with _id and text"
            )
        lines_by_id: dict[int | str, int] = {}
        for number, record in _read(path):
            assert record.id is not None
            first = lines_by_id.setdefault(record.id, number)
            if first != number:
                raise CorpusError(
                    f"{path}, line {number}: the _id {record.id!r} was given on line {first} "
                    "already"
                )
        if not lines_by_id:
            raise CorpusError(f"{path} is empty: a corpus has at least one line with _id and text")
        return cls(path, len(lines_by_id))

    def records(self) -> Iterator[Record]:
        """The documents in the order of the file, one at a time."""
        for _, record in _read(self.path):
            yield record


def _read(path: Path) -> Iterator[tuple[int, Record]]:
    for number, document in read_objects(path, CorpusError, fields="_id and text"):
        yield number, _record(document, f"{path}, line {number}")


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
    found: dict[str, object] = {"title": title} if title else {}
    return Record(text=f"{title} {text}".strip(), id=identifier, metadata=found | metadata)
