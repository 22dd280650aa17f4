"""Writing a bundle so that it is either whole or not there: beside its place, flushed, then
renamed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from edge_mrl.bundle.manifest import MANIFEST_NAME, FileEntry, Manifest
from edge_mrl.bundle.manifest_json import dump
from edge_mrl.errors import ExportError


@contextlib.contextmanager
def staged(destination: Path, *, overwrite: bool, mark: str = MANIFEST_NAME) -> Iterator[Path]:
    """A new folder beside `destination` that takes its place when the block ends well, and vanishes
    when not.

    Args:
        destination: where the folder is to stand.
        overwrite: whether a folder of the same kind that stands there is replaced.
        mark: the file by which such a folder is known.

    Raises:
        ExportError: `destination` exists and may not be replaced.
    """
    _check_destination(destination, overwrite=overwrite, mark=mark)
    parent = destination.parent
    parent.mkdir(parents=True, exist_ok=True)
    staging = parent / f".{destination.name}.partial-{os.getpid()}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        yield staging
        _flush(staging)
        _take_place(staging, destination)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json into a bundle folder."""
    (folder / MANIFEST_NAME).write_bytes(dump(manifest))


def list_files(folder: Path) -> tuple[FileEntry, ...]:
    """Every file below a folder but the manifest, with size and SHA-256, sorted by path."""
    entries = []
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name != MANIFEST_NAME:
            with file.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            entries.append(
                FileEntry(file.relative_to(folder).as_posix(), digest, file.stat().st_size)
            )
    return tuple(entries)


def _check_destination(destination: Path, *, overwrite: bool, mark: str) -> None:
    if not os.path.lexists(destination):
        return
    if not overwrite:
        raise ExportError(f"{destination} exists: choose another place or give --overwrite")
    if not destination.is_dir() or (
        any(destination.iterdir()) and not (destination / mark).is_file()
    ):
        kind = "a bundle" if mark == MANIFEST_NAME else f"a folder with {mark}"
        raise ExportError(
            f"{destination} is not {kind}, so it is not replaced: choose another place"
        )


def _flush(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _take_place(staging: Path, destination: Path) -> None:
    old = destination.parent / f".{destination.name}.replaced-{os.getpid()}"
    if destination.exists():
        destination.rename(old)
    staging.rename(destination)
    descriptor = os.open(destination.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    shutil.rmtree(old, ignore_errors=True)
