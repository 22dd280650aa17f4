"""The table `meta`: single values that a file keeps; and what a document is called."""

from __future__ import annotations

import os

from edge_mrl.errors import IndexFileError
from edge_mrl.index.storage.database import Database
from edge_mrl.index.storage.schema_sql import DOCUMENT_ID


class Facts(Database):
    """An index file's facts. Methods that write must run inside `write()`."""

    def fact(self, key: str) -> str | None:
        """A value of the table `meta`."""
        found = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if found is None:
            return None
        return os.fsdecode(found[0]) if isinstance(found[0], bytes) else str(found[0])

    def whole_number(self, key: str) -> int:
        """A counter of the table `meta`.

        Raises:
            IndexFileError: it is missing or not a number.
        """
        number = self.optional_number(key)
        if number is None:
            raise IndexFileError(
                f"{self.path}: the counter {key} is damaged: build the index again"
            )
        return number

    def optional_number(self, key: str) -> int | None:
        """A counter of the table `meta`; None where it is missing or not a number."""
        text = self.fact(key) or ""
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None

    def set_fact(self, key: str, value: str) -> None:
        """Write a value of the table `meta`; a path that is no UTF-8 as its bytes."""
        try:
            value.encode()
        except UnicodeEncodeError:
            self._write_fact(key, os.fsencode(value))
        else:
            self._write_fact(key, value)

    def _write_fact(self, key: str, value: str | bytes) -> None:
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def name_of(self, row: int) -> str:
        """What messages call the document of a row."""
        found = self.connection.execute(
            f"SELECT {DOCUMENT_ID} FROM documents WHERE row = ?", (row,)
        ).fetchone()
        return f"row {row}" if found is None else f"document {found[0]!r}"
