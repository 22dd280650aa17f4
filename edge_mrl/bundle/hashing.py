"""SHA-256 of a file. For nearly all of the time it does without the interpreter's lock.

A module of its own, because OpenSSL takes 4 MB that a program without a bundle can spare."""

from __future__ import annotations

import hashlib
import mmap
from io import FileIO
from pathlib import Path

_WINDOW = 1 << 25
"""Bytes hashed at once; bounds what of a file counts as this process's memory."""

_POPULATE_READ = 22
"""Linux's MADV_POPULATE_READ, which Python 3.11 does not name. What cannot be read of a mapping is
an error here; touching it would be a signal that kills the process."""

_CHUNK = 1 << 20


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file's content, in hex.

    The file is mapped, which takes a fifth less time than reading it and the lock only once. Where
    it cannot be, and before Linux 5.14, it is read.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with file.open("rb", buffering=0) as stream:
        size = stream.seek(0, 2)
        for start in range(0, size, _WINDOW):
            if not _add_mapped(digest, stream, start, min(_WINDOW, size - start)):
                stream.seek(start)
                _add_read(digest, stream)
                break
    return digest.hexdigest()


def _add_mapped(digest: hashlib._Hash, stream: FileIO, start: int, size: int) -> bool:
    """Add a window of the file; False where all of it cannot be mapped."""
    try:
        window = mmap.mmap(stream.fileno(), size, access=mmap.ACCESS_READ, offset=start)
    except (OSError, ValueError):
        return False
    with window:
        try:
            window.madvise(_POPULATE_READ)
        except (OSError, AttributeError):
            return False
        digest.update(window)
    return True


def _add_read(digest: hashlib._Hash, stream: FileIO) -> None:
    """Add the rest of the file."""
    # Not from the heap, which would keep large blocks for good once it has freed one.
    with mmap.mmap(-1, _CHUNK) as buffer:
        while count := stream.readinto(buffer):
            with memoryview(buffer) as whole, whole[:count] as part:
                digest.update(part)
