"""The tables of an index file and how an older file becomes a newer one."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path

from edge_mrl.errors import IndexFileError
from edge_mrl.index.format.vector_rows import shorter_record
from edge_mrl.index.storage.meta import IndexMeta

APPLICATION_ID = 0x454D524C
"""The bytes "EMRL" in the file's header, offset 68."""

_VERSION_1 = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE documents (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        id NOT NULL UNIQUE CHECK (typeof(id) IN ('integer', 'text')),
        text TEXT NOT NULL,
        metadata TEXT NOT NULL
    )""",
    "CREATE TABLE vectors (row INTEGER PRIMARY KEY, record BLOB NOT NULL)",
    """CREATE TABLE segments (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        first_row INTEGER NOT NULL,
        last_row INTEGER NOT NULL,
        slice TEXT NOT NULL,
        format INTEGER NOT NULL,
        row_numbers BLOB NOT NULL,
        gains BLOB NOT NULL,
        codes BLOB NOT NULL,
        crc32 INTEGER NOT NULL
    )""",
    """CREATE TABLE deletions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        row INTEGER NOT NULL
    )""",
)


def _to_version_1(connection: sqlite3.Connection) -> None:
    """From an empty file to the first schema."""
    for statement in _VERSION_1:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


_VERSION_2 = (
    """CREATE TABLE IF NOT EXISTS payload_values (
        key INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        value NOT NULL,
        row INTEGER NOT NULL,
        PRIMARY KEY (key, kind, value, row)
    ) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS sparse_vectors (row INTEGER PRIMARY KEY, record BLOB NOT NULL)",
    """CREATE TABLE IF NOT EXISTS sparse_lists (
        dimension INTEGER NOT NULL,
        first_row INTEGER NOT NULL,
        last_row INTEGER NOT NULL,
        places BLOB NOT NULL,
        numbers BLOB NOT NULL,
        crc32 INTEGER NOT NULL,
        PRIMARY KEY (dimension, first_row)
    ) WITHOUT ROWID""",
)


def _to_version_2(connection: sqlite3.Connection) -> None:
    """Tables that are kept in step with the documents where they are asked for: indexes of
    metadata, the lexical index, sparse vectors. An older program would leave them behind."""
    for statement in _VERSION_2:
        connection.execute(statement)


_VERSION_3 = (
    "CREATE TABLE IF NOT EXISTS token_vectors (row INTEGER PRIMARY KEY, record BLOB NOT NULL)",
)


def _to_version_3(connection: sqlite3.Connection) -> None:
    """Token vectors, which follow the documents as the tables of version 2 do."""
    for statement in _VERSION_3:
        connection.execute(statement)


_FACTS = {
    "payload_values": "payload_keys",
    "sparse_vectors": "sparse_packed",
    "sparse_lists": "sparse_packed",
    "token_vectors": "token_vectors",
}
"""Table -> the fact in `meta` that says it is in use."""

_VERSION_4 = (
    """CREATE TABLE short_documents (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        id CHECK (typeof(id) IN ('integer', 'text', 'null')),
        text TEXT NOT NULL,
        metadata TEXT
    )""",
    """INSERT INTO short_documents
        SELECT row, nullif(id, row), text, nullif(metadata, '{}') FROM documents ORDER BY row""",
    "DELETE FROM sqlite_sequence WHERE name = 'short_documents'",
    """INSERT INTO sqlite_sequence
        SELECT 'short_documents', seq FROM sqlite_sequence WHERE name = 'documents'""",
    "DROP TABLE documents",
    "ALTER TABLE short_documents RENAME TO documents",
    "CREATE UNIQUE INDEX document_ids ON documents (id) WHERE id IS NOT NULL",
)


def _to_version_4(connection: sqlite3.Connection) -> None:
    """Rows without what they need not say: an id that is the row number, empty metadata, the scale
    of a vector of length 1. Tables that nothing has asked for are made when something does."""
    for statement in _VERSION_4:
        connection.execute(statement)
    asked_for = {key for (key,) in connection.execute("SELECT key FROM meta")}
    for table, fact in _FACTS.items():
        if fact not in asked_for:
            connection.execute(f"DROP TABLE {table}")
    if _stores_bytes(connection):
        connection.create_function("shorter_record", 2, shorter_record, deterministic=True)
        connection.execute("UPDATE vectors SET record = shorter_record(row, record)")
        connection.create_function("shorter_record", 2, None)


_VERSION_5 = (
    "ALTER TABLE segments RENAME TO late_sums",
    """CREATE TABLE segments (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        first_row INTEGER NOT NULL,
        last_row INTEGER NOT NULL,
        slice TEXT NOT NULL,
        format INTEGER NOT NULL,
        crc32 INTEGER NOT NULL,
        row_numbers BLOB NOT NULL,
        gains BLOB NOT NULL,
        codes BLOB NOT NULL
    )""",
    # A segment's number is never used again.
    """INSERT INTO sqlite_sequence
        SELECT 'segments', seq FROM sqlite_sequence WHERE name = 'late_sums'""",
    "DROP TABLE late_sums",
)


def _to_version_5(connection: sqlite3.Connection) -> None:
    """A segment's checksum before its codes: behind them, SQLite reads all their pages to get
    there. Segments are derived; who migrates makes them again."""
    for statement in _VERSION_5:
        connection.execute(statement)


def _stores_bytes(connection: sqlite3.Connection) -> bool:
    """Whether the file holds vectors at 8 bits, which had a scale."""
    found = connection.execute("SELECT value FROM meta WHERE key = 'index'").fetchone()
    if found is None:
        return False
    meta = IndexMeta.from_json(str(found[0]), "the description of the index")
    return meta.layout.stored.bits == 8


MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {
    1: _to_version_1,
    2: _to_version_2,
    3: _to_version_3,
    4: _to_version_4,
    5: _to_version_5,
}
"""Schema version -> what turns the version before it into this one, inside one transaction."""

SCHEMA_VERSION = max(MIGRATIONS)

WITH_FOLLOWERS = 2
"""The first schema with indexes of metadata, a lexical index and sparse vectors."""

WITH_TOKENS = 3
"""The first schema with token vectors."""

_ON_DEMAND = {WITH_FOLLOWERS: _VERSION_2, WITH_TOKENS: _VERSION_3}
"""Schema -> what makes its tables where a file of schema 4 or 5 does not have them yet."""

WITH_SHORT_ROWS = 4
"""The first schema that leaves out of a row what follows from the rest."""

DOCUMENT_ID = "coalesce(documents.id, documents.row)"
"""A document's id; what is not there is the row number."""

METADATA = "coalesce(documents.metadata, '{}')"
"""A document's metadata; what is not there is an empty object."""

DELETED = "SELECT row FROM deletions WHERE typeof(row) = 'integer'"
"""The rows that were deleted; a column of integers takes a text all the same."""

_TABLES = {1: frozenset({"meta", "documents", "vectors", "segments", "deletions"})}
_TABLES[2] = _TABLES[1] | {"payload_values", "sparse_vectors", "sparse_lists"}
_TABLES[3] = _TABLES[2] | {"token_vectors"}
_TABLES[4] = _TABLES[5] = _TABLES[1]
"""Schema version -> the tables that a file must have."""


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version of an open file; 0 for an empty one.

    Raises:
        IndexFileError: the file is another program's database, or of a newer schema, lacks a table,
            or holds what no index has: triggers, views, tables or indexes defined otherwise.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    objects = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall()
    if not objects and version == 0:
        return 0
    if application != APPLICATION_ID:
        raise IndexFileError(
            f"{path} is a SQLite database but not an edge_mrl index: give another path"
        )
    if not 1 <= version <= SCHEMA_VERSION:
        raise IndexFileError(
            f"{path} has index schema {version}, this edge_mrl reads up to {SCHEMA_VERSION}: "
            "install a newer edge_mrl"
        )
    tables = {name for kind, name, _, _ in objects if kind == "table"}
    foreign = [name for kind, name, table, sql in objects if _is_foreign(kind, name, table, sql)]
    if not tables >= _TABLES[version] or foreign:
        what = f" (it has another {foreign[0]!r})" if foreign else ""
        raise IndexFileError(
            f"{path} does not have the tables of an index{what}: restore it from a backup"
        )
    return int(version)


def _is_foreign(kind: str, name: str, table: str, sql: str | None) -> bool:
    """Whether SQLite would compute something here that no index asks for: a table of a few bytes
    can have a column, a constraint or an index that takes gigabytes at each look."""
    if kind in ("trigger", "view"):
        return True
    known, name = _definitions(), name.lower()
    words = _words_of(sql or "")
    if kind == "index":
        # Without a text it is SQLite's own, of a primary key.
        return sql is not None and table.lower() in known and words not in known.get(name, ())
    if name == "lexical":
        return not words.startswith("create virtual table lexical using fts5 (")
    if name.startswith("lexical_"):
        # FTS5's own, which differ between versions of SQLite.
        return any(part in words for part in (" as (", "check (", "default ", "/ *", "- -"))
    return name in known and words not in known[name]


def _words_of(sql: str) -> str:
    """A definition's words and signs, whatever its white space, quotes and capitals."""
    return " ".join(re.findall(r"\w+|[^\w\s\"]", sql.lower()))


@cache
def _definitions() -> dict[str, set[str]]:
    """Table or index -> its definitions in all schemas."""
    found = {"sqlite_sequence": {_words_of("CREATE TABLE sqlite_sequence(name,seq)")}}
    for statement in (*_VERSION_1, *_VERSION_2, *_VERSION_3, *_VERSION_4, *_VERSION_5):
        if statement.startswith("CREATE "):
            plain = statement.replace("IF NOT EXISTS ", "").replace("short_documents", "documents")
            name = (
                plain.removeprefix("CREATE UNIQUE INDEX ").removeprefix("CREATE TABLE ").split()[0]
            )
            found.setdefault(name, set()).add(_words_of(plain))
    return found


def migrate(connection: sqlite3.Connection, version: int, wanted: int) -> None:
    """Bring a file of schema `version` to at least `wanted`, with the tables that came with
    `wanted`; call inside a transaction."""
    for target in range(version + 1, wanted + 1):
        MIGRATIONS[target](connection)
        connection.execute(f"PRAGMA user_version = {target}")
    for statement in _ON_DEMAND.get(wanted, ()):
        connection.execute(statement)
