"""The shared object that scan.c becomes: found, checked, and its functions declared for ctypes."""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

LIBRARY = Path(__file__).with_name("_scan.so")
SOURCE = Path(__file__).with_name("scan.c")

TARGETS = ("scalar", "ssse3", "avx2", "avx512", "neon", "neon-dotprod")
"""Numbered as in scan.c; of those that a CPU has, the last is the fastest."""

_INTERFACE = 9
_AT_HWCAP = 16

_pointer = ctypes.c_void_p
_int64 = ctypes.c_int64
_query = [ctypes.c_int, ctypes.c_int, _pointer, _int64, ctypes.c_int32]
_SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "emk_interface": (ctypes.c_int, []),
    "emk_source": (ctypes.c_uint32, []),
    "emk_targets": (ctypes.c_uint, [ctypes.c_uint64]),
    "emk_scan": (_int64, [*_query, _pointer, _int64, _int64, _int64, _pointer]),
    "emk_scores": (None, [*_query, _pointer, _pointer]),
    "emk_rescore": (
        _int64,
        [
            *(ctypes.c_int, ctypes.c_int, _pointer, _int64, _int64, _pointer),
            *(_pointer, _pointer, _int64, _int64, _int64, _pointer),
        ],
    ),
    "emk_search": (
        _int64,
        [
            *(ctypes.c_int, _pointer, _pointer, _int64, _pointer, _int64, _pointer, _pointer),
            _pointer,
        ],
    ),
    "emk_scan_share": (
        _int64,
        [ctypes.c_int, _pointer, _pointer, _int64, _int64, _pointer, _pointer, _pointer],
    ),
    "emk_search_many": (
        None,
        [
            *(ctypes.c_int, _pointer, _int64, ctypes.c_int32, _pointer, _int64, _pointer, _int64),
            *(_pointer, _pointer, _pointer, _int64, _pointer, _pointer, _pointer, _pointer),
        ],
    ),
    "emk_row_scores": (
        None,
        [ctypes.c_int, ctypes.c_int, _pointer, _int64, _int64, _pointer, _pointer, _pointer],
    ),
    "emk_pack": (
        None,
        [
            *(_pointer, _int64, _int64, _pointer, _int64, ctypes.c_int, _pointer, _int64),
            *(_pointer, _pointer, ctypes.c_float, _pointer, _pointer, _pointer),
        ],
    ),
    "emk_best_rows": (
        _int64,
        [_pointer, _int64, _int64, _pointer, ctypes.c_int, _int64, _int64, _pointer],
    ),
    "emk_turn": (None, [_pointer, _pointer, _int64, ctypes.c_float]),
    "emk_table": (
        ctypes.c_int32,
        [_pointer, _int64, ctypes.c_int, _pointer, _int64, _pointer, _pointer],
    ),
    "emk_weights": (None, [_pointer, _int64, _pointer, _pointer]),
    "emk_join_planes": (
        None,
        [
            *(_pointer, _pointer, _int64, _int64, ctypes.c_int, _pointer, _int64, _pointer),
        ],
    ),
    "emk_row_products": (
        _int64,
        [*(_pointer, _int64, _pointer, _int64, _pointer, _pointer, _pointer, _pointer, _pointer)],
    ),
    "emk_picked_products": (
        ctypes.c_int,
        [_pointer, _int64, _int64, _pointer, _int64, _pointer, _pointer, _pointer],
    ),
}


class Library(NamedTuple):
    """The outcome of looking for the shared object.

    Attributes:
        calls: its functions by name; empty where it is missing or cannot be used.
        targets: a bit for each target that this CPU has, numbered as in scan.c.
        missing: why there is none, or "".
    """

    calls: dict[str, Callable[..., int]]
    targets: int
    missing: str


def open_library(library: Path, source: Path) -> Library:
    """Open the shared object.

    Args:
        library: the file.
        source: the main file that it was compiled from. Where it is there and it or what it
            includes has changed since, the library is not used.
    """
    if not library.is_file():
        return Library({}, 0, "the package was installed without a C compiler")
    try:
        functions = ctypes.CDLL(str(library))
        calls = {name: _declared(functions, name) for name in _SIGNATURES}
    except (OSError, AttributeError) as error:
        return Library({}, 0, f"{library.name} cannot be used here ({error})")
    if calls["emk_interface"]() != _INTERFACE or (
        source.is_file() and calls["emk_source"]() != source_crc(source)
    ):
        return Library({}, 0, f"{library.name} is older than its source: install the package again")
    return Library(calls, calls["emk_targets"](_hardware_capabilities()), "")


def source_crc(source: Path) -> int:
    """What the library remembers of its source: CRC-32 of scan.c and the files it includes."""
    crc = 0
    for file in sorted(source.parent.iterdir()):
        # Not by glob, whose regular expressions take longer to compile than the files to read.
        if file.name.startswith("scan") and file.suffix in (".c", ".h"):
            crc = zlib.crc32(file.read_bytes(), crc)
    return crc


def _declared(library: ctypes.CDLL, name: str) -> Callable[..., int]:
    result, arguments = _SIGNATURES[name]
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
    return function  # type: ignore[no-any-return]


def _hardware_capabilities() -> int:
    """What Linux says of an ARM CPU; 0 where the C library has no such function."""
    try:
        ask = ctypes.CDLL(None).getauxval
    except (OSError, AttributeError):
        return 0
    ask.restype, ask.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
    return int(ask(_AT_HWCAP))
