"""An open index file as a database: transactions, durability, size. Knows no table but its
schema."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from edge_mrl.errors import IndexFileError
from edge_mrl.index.storage.connection import (
    BUSY_SECONDS,
    connect,
    explained,
    make_durable,
    transaction,
)
from edge_mrl.index.storage.schema_sql import APPLICATION_ID, migrate, version_of


class Database:
    """One open index file. Methods that write must run inside `write()`.

    Attributes:
        path: as it was given, for messages.
        place: where the file is, also after the working folder has changed.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.place = path, path.absolute()
        self.connection, self.writable = connect(path)
        self.writes = 0
        self._process = os.getpid()
        self._file = _identity(self.place)
        try:
            with explained(path):
                version_of(self.connection, path)
                if self.writable:
                    make_durable(self.connection)
        except IndexFileError:
            self.connection.close()
            raise

    @property
    def version(self) -> int:
        """The file's schema version; 0 for an empty one. Another process may raise it."""
        with explained(self.path):
            (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        return int(version)

    def close(self) -> None:
        """Close the file; the last to close folds the write-ahead log into it."""
        with explained(self.path):
            self.connection.close()

    def read(self) -> AbstractContextManager[None]:
        """One consistent view of the file.

        Raises:
            IndexFileError: the process was forked since the file was opened.
        """
        self._check_process()
        return transaction(self.connection, self.path, "DEFERRED")

    @contextmanager
    def write(self, *, wait: bool = True) -> Iterator[None]:
        """All or nothing, durable at the end.

        Raises:
            IndexFileError: another process is writing, the file is read-only, the disk is full;
                the file is no longer the one at its path, or the process was forked since.
        """
        self._check_process()
        if not self.writable:
            raise IndexFileError(
                f"the index {self.path} cannot be written: make the file and its folder writable"
            )
        self._check_place()
        self._wait_for_others(BUSY_SECONDS if wait else 0)
        try:
            with transaction(self.connection, self.path, "IMMEDIATE"):
                yield
        finally:
            if not wait:
                # A reader may have to wait too, while another process opens or closes the file.
                self._wait_for_others(BUSY_SECONDS)
        self.writes += 1

    def _check_process(self) -> None:
        # A child of a fork has none of the locks that its copy of the connection believes it has:
        # what it wrote would be lost without a word.
        if os.getpid() != self._process:
            raise IndexFileError(
                f"the index {self.path} was opened before this process was forked: open it in each "
                "process"
            )

    def _check_place(self) -> None:
        # The write-ahead log has the file's old name: nobody would read it with the moved file.
        if _identity(self.place) != self._file:
            raise IndexFileError(
                f"the index {self.path} was moved, deleted or replaced since it was opened: open "
                "it again; nothing was stored"
            )

    def _wait_for_others(self, seconds: float) -> None:
        with explained(self.path):
            self.connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    @contextmanager
    def relaxed(self) -> Iterator[None]:
        """Transactions inside wait for no disk; all of them are on it when this ends. Not inside
        `write()`."""
        self._synchronous("NORMAL")
        try:
            yield
        finally:
            self._synchronous("FULL")
            # A durable commit flushes the whole write-ahead log. One that writes no page does not.
            with self.write():
                self.connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    def _synchronous(self, mode: str) -> None:
        with explained(self.path):
            self.connection.execute(f"PRAGMA synchronous = {mode}")

    def migrate(self, wanted: int) -> None:
        """Create the tables of a schema version, where an older file does not have them yet."""
        with explained(self.path):
            migrate(self.connection, version_of(self.connection, self.path), wanted)

    def change_stamp(self) -> tuple[int, int]:
        """A value that differs once anyone has changed the file. Call inside `read()`."""
        (version,) = self.connection.execute("PRAGMA data_version").fetchone()
        return int(version), self.writes

    def file_bytes(self) -> int:
        """Size of the file and its write-ahead log."""
        log = self.place.with_name(self.place.name + "-wal")
        return self.place.stat().st_size + (log.stat().st_size if log.exists() else 0)

    def used_bytes(self) -> int:
        """Size of the pages that hold something, those in the write-ahead log too. Call inside
        `read()`."""
        names = ("page_count", "freelist_count", "page_size")
        pages, free, size = (
            int(self.connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in names
        )
        return (pages - free) * size

    def shrink(self) -> None:
        """Rewrite the file without its free pages. Not inside a transaction."""
        with explained(self.path):
            self.connection.execute("VACUUM")
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.writes += 1


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path; None where none does."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
