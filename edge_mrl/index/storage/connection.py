"""One SQLite connection: how it is opened, its transactions, and its errors in words."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from types import TracebackType

from edge_mrl.errors import IndexFileError

OLDEST_SQLITE = (3, 37, 0)
BUSY_SECONDS = 5.0
"""How long a writer waits for another one."""
_CACHE_KIB = 512
"""Pages that SQLite keeps, a quarter of its default: the system keeps the file in memory anyway,
and neither searches nor ingest took longer."""

_REASONS = {
    # The file beside it that readers and writers share; the disk is full where it cannot grow.
    sqlite3.SQLITE_IOERR_SHMSIZE: "cannot be opened, the disk is full: free some space",
    sqlite3.SQLITE_BUSY: "is being written by another process: try again when that has finished",
    sqlite3.SQLITE_LOCKED: "is being written by another connection: try again later",
    sqlite3.SQLITE_READONLY: "cannot be written: make the file and its folder writable, or copy it",
    sqlite3.SQLITE_IOERR: "could not be read or written: check the disk",
    sqlite3.SQLITE_CORRUPT: "is damaged: restore it from a backup or build it again",
    sqlite3.SQLITE_FULL: "cannot grow, the disk is full: free some space; "
    "what was being written is not stored",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check the path and its permissions",
    sqlite3.SQLITE_CORRUPT_VTAB: "has a damaged lexical index: make it anew with "
    "create_lexical_index or `edge-mrl optimize --lexical`",
    sqlite3.SQLITE_NOTADB: "is not an index file: give another path",
    sqlite3.SQLITE_TOOBIG: "cannot hold a text or a metadata object this large: split it",
    sqlite3.SQLITE_MISUSE: "is used from another thread or after close: open it in each thread",
}


_FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What the sqlite3 module raises; the second where a damaged name is part of SQLite's message."""


class explained:  # noqa: N801
    """Turn SQLite's errors into one sentence about the file, in a ``with`` statement.

    Raises:
        IndexFileError: whatever SQLite reported.
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, _FAILURES):
            raise _in_words(error, self._path) from error


def _in_words(error: BaseException, path: Path) -> IndexFileError:
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(error, sqlite3.ProgrammingError):
        code = sqlite3.SQLITE_MISUSE
    reason = None
    if isinstance(code, int):
        reason = _REASONS.get(code, _REASONS.get(code & 0xFF))
    if reason is None:
        reason = f"cannot be used ({error}): restore it from a backup or build it again"
    return IndexFileError(f"the index {path} {reason}")


def connect(path: Path) -> tuple[sqlite3.Connection, bool]:
    """Open a file, creating an empty one when it is missing.

    Returns:
        The connection, and whether it may write. A file or folder without write permission is
        opened for reading.

    Raises:
        IndexFileError: it cannot be opened, or this Python's SQLite is too old.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise IndexFileError(
            f"SQLite {sqlite3.sqlite_version} is too old for an index: "
            "use a Python with SQLite 3.37 or newer"
        )
    if path.is_dir() or not path.parent.is_dir():
        raise IndexFileError(
            f"the index {path} cannot be opened: give the path of a file in an existing folder"
        )
    missing = not path.exists()
    writable = os.access(path.parent, os.W_OK) and (missing or os.access(path, os.W_OK))
    if missing and not writable:
        raise IndexFileError(f"the index {path} cannot be created: its folder is not writable")
    with explained(path):
        if writable:
            return _prepare(_open(path, "mode=rwc")), True
        return _open_read_only(path), False


def _open(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )


def _prepare(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except _FAILURES:
        connection.close()
        raise
    return connection


def _open_read_only(path: Path) -> sqlite3.Connection:
    try:
        return _prepare(_open(path, "mode=ro"))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise IndexFileError(
                f"the index {path} was not closed and cannot be repaired where "
                f"nothing can be written: copy it together with {log.name} to a writable folder"
            ) from error
    # Nobody can write here, so SQLite needs neither locks nor a shared-memory file.
    return _prepare(_open(path, "mode=ro&immutable=1"))


def make_durable(connection: sqlite3.Connection) -> None:
    """A transaction is on the disk when it has committed. Changes the file: only for our own."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


class transaction:  # noqa: N801
    """All or nothing, in a ``with`` statement: commit at the end, roll back on any error.

    A class, because each search has one, and a generator would take three times as long.

    Args:
        connection: an open connection.
        path: named in errors.
        kind: ``"DEFERRED"`` for one consistent view while reading, ``"IMMEDIATE"`` to write.

    Raises:
        IndexFileError: SQLite failed, or another process kept writing for longer than the wait.
    """

    __slots__ = ("_begin", "_connection", "_path")

    def __init__(self, connection: sqlite3.Connection, path: Path, kind: str) -> None:
        self._connection, self._path = connection, path
        self._begin = f"BEGIN {kind}"

    def __enter__(self) -> None:
        try:
            self._connection.execute(self._begin)
        except _FAILURES as error:
            raise _in_words(error, self._path) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            try:
                if error is None:
                    self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        except _FAILURES as failure:
            raise _in_words(failure, self._path) from failure
        if isinstance(error, _FAILURES):
            raise _in_words(error, self._path) from error
