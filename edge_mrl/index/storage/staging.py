"""A new index file stands whole at its place, or not at all: it is made beside it and renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from edge_mrl.errors import IndexFileError
from edge_mrl.index.storage.schema_sql import APPLICATION_ID
from edge_mrl.processes import ended_by_sigterm, is_another_running

_PARTIAL = ".partial-"


@contextmanager
def staged(place: Path) -> Iterator[Path]:
    """Give a path beside `place`; what stands there at the end takes the place, replacing an index.

    The body makes an index at that path and closes it. If it fails, is interrupted or ended by
    SIGTERM, nothing is left of it. What a SIGKILL leaves, the next one for the same place removes.

    Raises:
        IndexFileError: the folder does not exist, or something else than an index stands at
            `place`.
    """
    if not place.parent.is_dir():
        raise IndexFileError(
            f"there is no folder {place.parent} to put the index in: make it first"
        )
    if place.exists() and not _is_index(place):
        raise IndexFileError(f"{place} is not an index, so it is not replaced: give another path")
    _clear_leftovers(place)
    staging = place.with_name(f".{place.name}{_PARTIAL}{os.getpid()}")
    try:
        with ended_by_sigterm():
            yield staging
            # A log of the old file must not be taken for one of the new file.
            remove(place, ("-wal", "-shm"))
            staging.replace(place)
            _flush_folder(place.parent)
    finally:
        remove(staging)


def _clear_leftovers(place: Path) -> None:
    """Remove what processes left that were killed while they made this index."""
    for path in place.parent.glob(f".{escape(place.name)}{_PARTIAL}*"):
        number = path.name.rpartition("-")[2]
        if number.isdigit() and not is_another_running(int(number)):
            remove(path)


def _is_index(place: Path) -> bool:
    """By SQLite's first bytes and its application id, so that a damaged index counts as one."""
    if not place.is_file():
        return False
    with place.open("rb") as stream:
        header = stream.read(72)
    return header.startswith(b"SQLite format 3\0") and header[68:] == APPLICATION_ID.to_bytes(4)


def remove(place: Path, suffixes: tuple[str, ...] = ("", "-wal", "-shm")) -> None:
    """Remove an index file and what SQLite keeps beside it."""
    for suffix in suffixes:
        place.with_name(place.name + suffix).unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        # Elsewhere a folder cannot be opened as a file.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
