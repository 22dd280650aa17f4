"""The index file: documents, vectors and facts, read and written with SQL. Knows nothing of
scanning. What follows the documents is loaded when something is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import IndexFileError
from edge_mrl.index.format.vector_rows import Vectors, unpack_records
from edge_mrl.index.records import Document, DocumentId, NewDocument
from edge_mrl.index.storage.facts import Facts
from edge_mrl.index.storage.schema_sql import DOCUMENT_ID, METADATA
from edge_mrl.slices import Slice

IntArray = npt.NDArray[np.int64]

Fields = tuple[DocumentId, str, dict[str, object]]
"""A document's id, text and metadata."""

LARGEST_ROW = 2**62
"""No index gets here; a larger row number in a file is damage."""

_FIELDS = f"{DOCUMENT_ID}, text, {METADATA}"

_CHUNK = 500
"""Values bound in one statement; SQLite's own limit was 999 for long."""

_STEP = 8
"""Row numbers are filled up with NULL to a multiple of this, so that a few statements, which SQLite
then has ready, serve all lengths."""


@lru_cache
def _by_row(count: int, columns: str, table: str) -> str:
    """Selects rows by `count` row numbers, in their order; a list after IN would be sorted first,
    which takes a sixth longer."""
    return (
        f"WITH wanted(number) AS (VALUES {','.join(['(?)'] * count)}) "
        f"SELECT {columns} FROM wanted CROSS JOIN {table} ON row = number"
    )


class Store(Facts):
    """What an index file holds. Methods that write must run inside `write()`."""

    def count(self) -> int:
        """How many documents, from the fact that is kept with them; counted where that is
        missing."""
        kept = self.optional_number("documents")
        return self._counted() if kept is None or kept > LARGEST_ROW else kept

    def recount(self) -> None:
        """Count the documents and keep the number. Call inside `write()`."""
        self.set_fact("documents", str(self._counted()))

    def _counted(self) -> int:
        # Reads all of them: a single document added to a million took 16 ms instead of 0.4 with it.
        (count,) = self.connection.execute("SELECT count(*) FROM documents").fetchone()
        return int(count)

    def next_row(self) -> int:
        """The row number that the next document gets; numbers are never used again.

        Raises:
            IndexFileError: the last one is damaged.
        """
        found = self.connection.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'documents'"
        ).fetchone()
        if found is None:
            return 1
        if not (isinstance(found[0], int) and 0 <= found[0] < LARGEST_ROW):
            raise IndexFileError(f"{self.path}: its last row number is damaged: build it again")
        return found[0] + 1

    def present(self, ids: Sequence[DocumentId]) -> set[DocumentId]:
        """Those of the ids that have a document."""
        return {found for (found,) in self._of_ids(DOCUMENT_ID, ids)}

    def rows_of(self, ids: Sequence[DocumentId]) -> list[int]:
        """The rows of those of the ids that have a document, in no order."""
        return [int(row) for (row,) in self._of_ids("row", ids)]

    def row_of(self, id_: DocumentId) -> int | None:
        """The row of a document; None where there is no such id."""
        found = self.rows_of([id_])
        return found[0] if found else None

    def ids_of(self, rows: Sequence[int]) -> dict[int, DocumentId]:
        """Ids by row number; rows that are not there are left out."""
        return dict(
            self._select(f"SELECT row, {DOCUMENT_ID} FROM documents WHERE row IN (?)", rows)
        )

    def documents_by_id(self, ids: Sequence[DocumentId]) -> dict[DocumentId, Document]:
        """Documents by id; ids that are not there are left out."""
        found = self._of_ids(_FIELDS, ids)
        return {id_: self._document(id_, text, metadata) for id_, text, metadata in found}

    def documents_after(self, row: int, limit: int) -> dict[int, NewDocument]:
        """At most `limit` documents with a higher row number, by row, in order; to be copied.

        Raises:
            IndexFileError: one of them is damaged; names it.
        """
        found = self.connection.execute(
            f"SELECT row, {_FIELDS} FROM documents WHERE row > ? ORDER BY row LIMIT ?",
            (row, limit),
        ).fetchall()
        for _, id_, text, metadata in found:
            self._document(id_, text, metadata)
        return {number: NewDocument(*parts) for number, *parts in found}

    def documents_of(self, rows: Sequence[int]) -> list[Fields]:
        """What is stored of the documents of some rows, in their order.

        Raises:
            IndexFileError: a row has a vector but no document.
        """
        found = self._by_row("documents.id, text, metadata", "documents", rows)
        if len(found) != len(rows):
            there = {row for (row,) in self._by_row("row", "documents", rows)}
            missing = next(row for row in rows if row not in there)
            raise IndexFileError(
                f"{self.path} is damaged, row {missing} has no document: build the index again"
            )
        documents: list[Fields] = []
        for row, (given, text, metadata) in zip(rows, found, strict=True):
            id_ = row if given is None else given
            plain = metadata is None and type(text) is str
            documents.append((id_, text, {} if plain else self._metadata(id_, text, metadata)))
        return documents

    def vectors(self, rows: Sequence[int], stored: Slice) -> Vectors:
        """Vectors of some rows.

        Args:
            rows: row numbers, rising.
            stored: the stored slice.

        Raises:
            IndexFileError: one of them is missing or damaged; names the document.
        """
        return self.unpacked(rows, self.records(rows), stored)

    def records(self, rows: Sequence[int]) -> list[Any]:
        """What stands in the file for the vectors of some rows, not checked.

        Args:
            rows: row numbers, rising.

        Raises:
            IndexFileError: one of them is missing; names the document.
        """
        found = self._by_row("record", "vectors", rows)
        if len(found) != len(rows):
            there = self._by_row("row", "vectors", rows)
            self._refuse_damaged(min(set(rows) - {row for (row,) in there}))
        return [record for (record,) in found]

    def vectors_after(self, row: int, last: int, limit: int, stored: Slice) -> Vectors:
        """At most `limit` vectors of rows row + 1 .. last, in order.

        Raises:
            IndexFileError: one of them is damaged; names the document.
        """
        found = self.connection.execute(
            "SELECT row, record FROM vectors WHERE row > ? AND row <= ? ORDER BY row LIMIT ?",
            (row, last, limit),
        ).fetchall()
        return self.unpacked([row for row, _ in found], [record for _, record in found], stored)

    def rows(self) -> IntArray:
        """The row numbers of all documents, rising."""
        found = self.connection.execute("SELECT row FROM documents ORDER BY row")
        return np.fromiter((row for (row,) in found), dtype=np.int64)

    def vectors_waiting(self, after: int) -> int:
        """How many vectors have a higher row number."""
        (count,) = self.connection.execute(
            "SELECT count(*) FROM vectors WHERE row > ?", (after,)
        ).fetchone()
        return int(count)

    def unpacked(self, rows: Sequence[int], records: list[Any], stored: Slice) -> Vectors:
        """The vectors of `records`.

        Raises:
            IndexFileError: one of them is damaged; names the document.
        """
        unpacked = unpack_records(rows, records, stored)
        if unpacked.damaged:
            self._refuse_damaged(unpacked.damaged[0])
        return Vectors(np.array(rows, dtype=np.int64), unpacked.codes, stored)

    def _refuse_damaged(self, row: int) -> None:
        name = self.name_of(row)
        raise IndexFileError(
            f"{self.path}: the vector of {name} is damaged: delete that document and add it again"
        )

    def _document(self, id_: DocumentId, text: str, metadata: str) -> Document:
        return Document(id_, text, self._metadata(id_, text, metadata))

    def _metadata(self, id_: DocumentId, text: str, metadata: str | None) -> dict[str, object]:
        """A document's metadata, if that and its text are sound."""
        try:
            parsed: object = {}
            if metadata is not None and metadata != "{}":
                parsed = json.loads(metadata) if isinstance(metadata, str) else None
        except (json.JSONDecodeError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict) or not isinstance(text, str):
            raise IndexFileError(
                f"{self.path}: document {id_!r} is damaged: delete it and add it again"
            )
        return parsed

    def _of_ids(self, columns: str, ids: Sequence[DocumentId]) -> list[tuple[Any, ...]]:
        """Columns of the documents with these ids, in no order."""
        # Texts are kept from the row numbers: SQLite would take '7' for 7 there.
        numbers = [id_ for id_ in ids if isinstance(id_, int)]
        found = self._select(f"SELECT {columns} FROM documents WHERE id IN (?)", ids)
        unsaid = f"SELECT {columns} FROM documents WHERE row IN (?) AND id IS NULL"
        return found + self._select(unsaid, numbers)

    def _by_row(self, columns: str, table: str, rows: Sequence[int]) -> list[tuple[Any, ...]]:
        """Columns of a table in the order of the row numbers; rows that it lacks are left out."""
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            spare = -len(chunk) % _STEP
            statement = _by_row(len(chunk) + spare, columns, table)
            found += self.connection.execute(statement, (*chunk, *(None,) * spare)).fetchall()
        return found

    def _select(self, sql: str, values: Sequence[DocumentId]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(values), _CHUNK):
            chunk = values[start : start + _CHUNK]
            marks = ",".join("?" * len(chunk))
            statement = sql.replace("(?)", f"({marks})")
            found += self.connection.execute(statement, tuple(chunk)).fetchall()
        return found
