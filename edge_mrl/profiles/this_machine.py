"""What the machine that this runs on is: read from the files in which Linux says it."""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

_MODEL_FILES = ("proc/device-tree/model", "sys/firmware/devicetree/base/model")
_LIMIT_FILES = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where a control group's memory limit stands, version 2 and version 1."""

_MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine.

    Attributes:
        model: the board's name from its device tree, empty where there is none.
        cores: processor cores that this process may use.
        memory_bytes: memory of the system, or the control group's limit if that is less.
        bits: 64 or 32, of the programs and not of the kernel: a 32-bit Raspberry Pi OS runs on a
            64-bit kernel, whose name `platform.machine` gives, and takes 32-bit wheels.
        python: major and minor version of this Python.
        libc: C library and version, ``"none"`` where nobody can tell.
    """

    model: str
    cores: int
    memory_bytes: int
    bits: int = 64
    python: str = "none"
    libc: str = "none"


def read_machine(root: Path = Path("/")) -> Machine:
    """Read what this machine is.

    Args:
        root: where the file system begins; another folder serves to try a board's files.
    """
    model = next((text for name in _MODEL_FILES if (text := _text(root / name))), "")
    limits = [int(text) for name in _LIMIT_FILES if (text := _text(root / name)).isdigit()]
    bits = 64 if sys.maxsize > 2**32 else 32
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Machine(model, _cores(), min([_memory(root), *limits]), bits, python, _libc())


def _libc() -> str:
    """Glibc's version; Python itself can tell no other library's."""
    name, version = platform.libc_ver()
    return f"{name} {version}" if re.fullmatch(r"[0-9]+\.[0-9]+", version) else "none"


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that can be had without swapping; None where the system does not say."""
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable" and rest.split()[0].isdigit():
            return int(rest.split()[0]) * 1024
    return None


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(_MAX_BYTES).decode("utf-8", "replace").strip("\0 \n")
    except OSError:
        return ""  # not Linux, or not a board


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory(root: Path) -> int:
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        if name == "MemTotal" and rest.split()[0].isdigit():
            return int(rest.split()[0]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
