"""For which machines an engine is published as a wheel. Pure.

Read off the Python package index in November 2026 with `pip install --dry-run --only-binary :all:
--platform ... --python-version ...`: onnxruntime 1.31, ai-edge-litert 2.3, tflite-runtime 2.14.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wheels:
    """The wheels of one engine for Linux.

    Attributes:
        glibc: machine -> the least version of glibc, as (major, minor).
        python: first and last minor version of Python 3.
    """

    glibc: dict[str, tuple[int, int]]
    python: tuple[int, int]


WHEELS = {
    "onnxruntime": Wheels({"x86_64": (2, 27), "aarch64": (2, 28)}, (11, 14)),
    "ai-edge-litert": Wheels({"x86_64": (2, 27), "aarch64": (2, 27)}, (10, 14)),
    "tflite-runtime": Wheels(
        {"x86_64": (2, 17), "aarch64": (2, 34), "armv7l": (2, 34)},
        (9, 11),
    ),
}


def why_no_wheel(engine: str, machine: str, libc: str, python: str) -> str | None:
    """Why an engine cannot be installed as a wheel; None where it can.

    Args:
        engine: as pip names it.
        machine: as `platform.machine` names it, ``"armv7l"`` for a 32-bit system on any ARM core.
        libc: C library and version, e.g. ``"glibc 2.36"``.
        python: e.g. ``"3.11"``.
    """
    wheels = WHEELS.get(engine)
    if wheels is None:
        return None
    if machine not in wheels.glibc:
        return f"no wheel of {engine} for {machine}"
    least = wheels.glibc[machine]
    name, _, version = libc.partition(" ")
    if name != "glibc":
        return f"no wheel of {engine} without glibc"
    if tuple(int(part) for part in version.split(".")) < least:
        return f"wheels of {engine} need glibc {least[0]}.{least[1]}, here is {version}"
    first, last = wheels.python
    if not first <= int(python.partition(".")[2]) <= last:
        return f"wheels of {engine} are for Python 3.{first} to 3.{last}, here is {python}"
    return None
