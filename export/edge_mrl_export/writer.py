"""Writing a bundle so that it is either whole or not there: beside its place, flushed, then
renamed."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from edge_mrl.bundle.manifest import MANIFEST_NAME, FileEntry, Manifest
from edge_mrl.bundle.manifest_json import dump
from edge_mrl.errors import ExportError
from edge_mrl.processes import ended_by_sigterm, is_another_running

_PARTIAL, _REPLACED = ".partial-", ".replaced-"
_NEXT_TO_NOTHING = 2**16


@contextlib.contextmanager
def staged(destination: Path, *, overwrite: bool, mark: str = MANIFEST_NAME) -> Iterator[Path]:
    """A new folder beside `destination` that takes its place when the block ends well, and vanishes
    when not: after an error, an interrupt or a SIGTERM. What a SIGKILL leaves, the next one for the
    same place clears away.

    Args:
        destination: where the folder is to stand.
        overwrite: whether a folder of the same kind that stands there is replaced.
        mark: the file by which such a folder is known.

    Raises:
        ExportError: `destination` exists and may not be replaced, or cannot be written; the disk is
            full, or a file larger than this process may write.
    """
    parent = destination.parent
    _clear_leftovers(destination)
    _check_destination(destination, overwrite=overwrite, mark=mark)
    staging = parent / f".{destination.name}{_PARTIAL}{os.getpid()}"
    try:
        with ended_by_sigterm():
            _make(staging, destination)
            yield staging
            _flush(staging)
            _take_place(staging, destination)
    except OSError as error:
        if _is_full(error, parent):
            raise ExportError(
                f"the disk is full: free some space beside {destination}, or choose another place"
            ) from error
        if error.errno in (errno.EFBIG, None):
            raise ExportError(
                f"a file beside {destination} could not be written whole ({error}): raise the "
                "limit on the size of files (`ulimit -f`), or choose another place"
            ) from error
        raise
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


def _make(staging: Path, destination: Path) -> None:
    try:
        staging.parent.mkdir(parents=True, exist_ok=True)
        staging.mkdir()
    except OSError as error:
        if _is_full(error, destination.parent):
            raise
        raise ExportError(
            f"{destination} cannot be written ({error.strerror}): choose another place"
        ) from error


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


def _clear_leftovers(destination: Path) -> None:
    """Remove what processes left that were killed while they wrote here, and put back a folder that
    one of them had already moved aside."""
    for path in destination.parent.glob(f".{glob.escape(destination.name)}.*"):
        kind, _, number = path.name.removeprefix(f".{destination.name}").rpartition("-")
        if f"{kind}-" not in (_PARTIAL, _REPLACED) or not number.isdigit():
            continue
        if is_another_running(int(number)):
            continue
        if f"{kind}-" == _REPLACED and not os.path.lexists(destination):
            path.rename(destination)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _is_full(error: OSError, folder: Path) -> bool:
    # numpy reports a short write without a number.
    return error.errno in (errno.ENOSPC, errno.EDQUOT) or (
        error.errno is None and shutil.disk_usage(folder).free < _NEXT_TO_NOTHING
    )


def _take_place(staging: Path, destination: Path) -> None:
    old = destination.parent / f".{destination.name}{_REPLACED}{os.getpid()}"
    if destination.exists():
        destination.rename(old)
    staging.rename(destination)
    descriptor = os.open(destination.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    shutil.rmtree(old, ignore_errors=True)
