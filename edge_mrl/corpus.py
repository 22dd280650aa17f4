"""Reading a corpus: JSON lines with `_id` and `text`, optionally `title` and `metadata`, as BEIR
writes them.

A corpus is checked from end to end before its first line is used, so that a bad line never leaves
half of it in an index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_mrl.errors import CorpusError, InputError
from edge_mrl.index import Record
from edge_mrl.index.writing.batch import check_id, check_text
from edge_mrl.json_lines import read_objects

_FIELDS = {"_id", "text", "title", "metadata"}
_FIELDS_NEEDED = "_id and text"
_UNUSED_NAMED = 5


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus file that was checked: `records` cannot fail unless the file changes meanwhile.

    Attributes:
        path: the file.
        count: how many documents it has.
        unused: other fields that its lines have, which are not read.
    """

    path: Path
    count: int
    unused: tuple[str, ...] = ()

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
        unused: set[str] = set()
        for number, document in read_objects(path, CorpusError, fields=_FIELDS_NEEDED):
            record = _record(document, f"{path}, line {number}")
            assert record.id is not None
            if len(unused) < _UNUSED_NAMED:
                unused |= document.keys() - _FIELDS
            first = lines_by_id.setdefault(record.id, number)
            if first != number:
                raise CorpusError(
                    f"{path}, line {number}: the _id {record.id!r} was given on line {first} "
                    "already"
                )
        if not lines_by_id:
            raise CorpusError(f"{path} is empty: a corpus has at least one line with _id and text")
        return cls(path, len(lines_by_id), tuple(sorted(unused)[:_UNUSED_NAMED]))

    def records(self) -> Iterator[Record]:
        """The documents in the order of the file, one at a time."""
        for number, document in read_objects(self.path, CorpusError, fields=_FIELDS_NEEDED):
            yield _record(document, f"{self.path}, line {number}")


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
