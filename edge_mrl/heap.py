"""The C library's heap, kept small. Only glibc is told so; elsewhere nothing is done."""

from __future__ import annotations

import ctypes
import sys

MIB = 2**20

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""


def give_back() -> bool:
    """Return free memory to the system. Starting an engine leaves 16 MB of it, in pieces.

    Returns:
        Whether the C library can.
    """
    return _call("malloc_trim", 0)


def keep_large_apart() -> bool:
    """Have blocks of more than 1 MiB mapped one by one, for good.

    glibc raises that bound to the largest block that was freed. Large blocks then lie in the heap,
    whose holes are kept: a MiniLM that read a text of 256 tokens kept 20 to 30 MB of them. It takes
    no measurable time.

    Returns:
        Whether the C library can.
    """
    return _call("mallopt", _MMAP_THRESHOLD, MIB) and _call("mallopt", _TRIM_THRESHOLD, 2 * MIB)


def _call(name: str, *arguments: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    function = getattr(ctypes.CDLL(None), name, None)
    if function is None:
        return False  # another C library
    function(*arguments)
    return True
