"""Building a new index so that it stands whole at its place, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from edge_mrl.errors import IndexFileError
from edge_mrl.index.index import Index
from edge_mrl.index.records import Record
from edge_mrl.index.schema_sql import APPLICATION_ID
from edge_mrl.index.text_encoder import TextEncoder


def build_index(
    place: Path,
    encoder: TextEncoder,
    records: Iterable[Record],
    *,
    bundle: Path | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Index:
    """Build an index beside its place and rename it, replacing what stood there.

    Args:
        place: the index file to make.
        encoder: embeds the texts; its `index_layout`, if any, decides the slices.
        records: the documents.
        bundle: the bundle's folder, remembered in the file so that a search finds it.
        on_progress: called with the number of documents stored so far.

    Returns:
        The index, open.

    Raises:
        IndexFileError: the folder does not exist or cannot be written, or something else than an
            index stands at `place`.
        InputError: a record cannot be stored; nothing stands at `place` that was not there before.
    """
    if not place.parent.is_dir():
        raise IndexFileError(
            f"there is no folder {place.parent} to put the index in: make it first"
        )
    if place.exists() and not _is_index(place):
        raise IndexFileError(f"{place} is not an index, so it is not replaced: give another path")
    staging = place.with_name(f".{place.name}.partial-{os.getpid()}")
    try:
        _remove(staging)
        with Index.open(staging, encoder) as index:
            index.add_stream(records, on_progress=on_progress)
            index.optimize()
            if bundle is not None:
                index.remember_bundle(bundle, place)
        # A log of the old file must not be taken for one of the new file.
        _remove(place, ("-wal", "-shm"))
        staging.replace(place)
        _flush_folder(place.parent)
    finally:
        _remove(staging)
    return Index.open(place, encoder)


def _is_index(place: Path) -> bool:
    """By SQLite's first bytes and its application id, so that a damaged index counts as one."""
    if not place.is_file():
        return False
    with place.open("rb") as stream:
        header = stream.read(72)
    return header.startswith(b"SQLite format 3\0") and header[68:] == APPLICATION_ID.to_bytes(4)


def _remove(place: Path, suffixes: tuple[str, ...] = ("", "-wal", "-shm")) -> None:
    for suffix in suffixes:
        place.with_name(place.name + suffix).unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
