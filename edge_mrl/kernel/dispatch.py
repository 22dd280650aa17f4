"""Which kernel runs: the fastest that is there, or the one that `EDGE_MRL_KERNEL` names."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import NamedTuple

from edge_mrl.errors import InputError
from edge_mrl.kernel import native
from edge_mrl.kernel.numpy_kernel import NumpyKernel
from edge_mrl.kernel.protocol import Kernel

VARIABLE = "EDGE_MRL_KERNEL"
"""Environment variable that forces a kernel by name; read once, at the first use."""


class KernelInfo(NamedTuple):
    """Which kernel runs.

    Attributes:
        name: ``"numpy"`` or a target of the compiled kernel, such as ``"avx2"``.
        detail: why, in one line for a person.
        available: all that can be forced here, slowest first.
    """

    name: str
    detail: str
    available: tuple[str, ...]


@lru_cache(maxsize=1)
def _loaded() -> native.Loaded:
    return native.load()


def available() -> dict[str, Kernel]:
    """Every kernel that runs on this machine by name, slowest first; numpy is always among them."""
    kernels: list[Kernel] = [NumpyKernel(), *_loaded().kernels]
    return {kernel.name: kernel for kernel in kernels}


@lru_cache(maxsize=1)
def current() -> Kernel:
    """The kernel that runs in this process.

    Raises:
        InputError: `EDGE_MRL_KERNEL` names one that is not there.
    """
    return choose(available(), os.environ.get(VARIABLE, ""))


def choose(kernels: dict[str, Kernel], wanted: str) -> Kernel:
    """The wanted kernel, or the fastest.

    Raises:
        InputError: it is not among them; names those that are.
    """
    if not wanted:
        return list(kernels.values())[-1]
    if wanted not in kernels:
        raise InputError(
            f"{VARIABLE}={wanted} cannot run here: choose one of {', '.join(kernels)}, or unset it"
        )
    return kernels[wanted]


def info() -> KernelInfo:
    """Say which kernel runs in this process, and why.

    Raises:
        InputError: `EDGE_MRL_KERNEL` names one that is not there.
    """
    name = current().name
    if os.environ.get(VARIABLE):
        detail = f"{VARIABLE} asks for it"
    elif name == "numpy":
        detail = f"no compiled kernel: {_loaded().missing}"
    else:
        detail = "compiled; the fastest that this CPU has"
    return KernelInfo(name, detail, tuple(available()))
