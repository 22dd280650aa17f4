"""The C library's heap, kept small. Only glibc can; elsewhere nothing is done."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> bool:
    """Return free memory to the system. Starting an engine leaves 16 MB of it, in pieces.

    Returns:
        Whether the C library can.
    """
    if not sys.platform.startswith("linux"):
        return False
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return False  # another C library
    trim(0)
    return True
