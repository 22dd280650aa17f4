"""Which profile fits a machine, and the profile with that machine's own memory, cores and engines.
Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from edge_mrl.bundle.engines import ALL_ENGINES
from edge_mrl.profiles.fields import Figure
from edge_mrl.profiles.profile import DeviceProfile
from edge_mrl.profiles.this_machine import Machine


@dataclass(frozen=True, slots=True)
class Board:
    """A board that its device tree names.

    Attributes:
        starts: how the device tree's model begins.
        sizes: the memory in MiB that it is sold with -> the profile, the smallest first.
        profile_32: the profile for a 32-bit system, where there is one.
    """

    starts: tuple[str, ...]
    sizes: tuple[tuple[int, str], ...]
    profile_32: str | None = None


BOARDS = (
    Board(("Raspberry Pi Zero 2",), ((512, "raspberry-pi-zero-2w"),), "raspberry-pi-zero-2w-32bit"),
    Board(
        ("Raspberry Pi 3 Model B Plus",),
        ((1024, "raspberry-pi-3b-plus"),),
        "raspberry-pi-3b-plus-32bit",
    ),
    Board(
        # A Pi 400 is a Pi 4.
        ("Raspberry Pi 4", "Raspberry Pi Compute Module 4"),
        (
            (1024, "raspberry-pi-4b-1gb"),
            (2048, "raspberry-pi-4b-2gb"),
            (4096, "raspberry-pi-4b"),
            (8192, "raspberry-pi-4b-8gb"),
        ),
    ),
    Board(
        ("Raspberry Pi 5", "Raspberry Pi Compute Module 5"),
        (
            (4096, "raspberry-pi-5-4gb"),
            (8192, "raspberry-pi-5"),
            (16384, "raspberry-pi-5-16gb"),
        ),
    ),
    Board(
        ("NVIDIA Jetson Orin Nano", "NVIDIA Orin Nano"),
        ((8192, "jetson-orin-nano"),),
    ),
)
"""The boards with a profile of their own."""

OTHERWISE = "laptop"
"""The profile of a machine that is no known board."""

_SOURCE = "read on this machine"


def recognise(machine: Machine) -> str:
    """The name of the profile that describes a machine best.

    Of a board that is sold with several sizes of memory, the smallest that holds what the machine
    has: the system sees a little less than is sold, and a container a part of it.
    """
    for board in BOARDS:
        if machine.model.startswith(board.starts):
            if machine.bits == 32 and board.profile_32 is not None:
                return board.profile_32
            fitting = (name for size, name in board.sizes if machine.memory_bytes <= size * 2**20)
            return next(fitting, board.sizes[-1][1])
    return OTHERWISE


def fitted(
    profile: DeviceProfile, machine: Machine, engines: Collection[str] | None = None
) -> DeviceProfile:
    """A profile with the machine's cores and memory; the memory budget keeps its share of it.

    Args:
        profile: from `recognise`.
        machine: the machine.
        engines: the engines that are installed on it; None where nobody looked.
    """
    share = profile.budgets.memory_bytes / profile.facts.memory_bytes
    budget = min(profile.budgets.memory_bytes, int(share * machine.memory_bytes))
    found = profile.facts.engines
    if engines is not None:
        found = tuple(one for one in ALL_ENGINES if one in engines)
    measured = {
        "facts.cores": ("cores", f"{machine.cores}"),
        "facts.memory": ("MiB", f"{machine.memory_bytes / 2**20:.0f}"),
        "budgets.memory": ("MiB", f"{budget / 2**20:.0f}"),
        "facts.python": ("", machine.python),
        "facts.libc": ("", machine.libc),
    }
    if engines is not None:
        measured["facts.engines"] = ("", ", ".join(found))
    return replace(
        profile,
        facts=replace(
            profile.facts,
            cores=machine.cores,
            memory_bytes=machine.memory_bytes,
            engines=found,
            python=machine.python,
            libc=machine.libc,
        ),
        budgets=replace(profile.budgets, memory_bytes=budget),
        figures=tuple(_restated(figure, measured) for figure in profile.figures),
    )


def _restated(figure: Figure, measured: dict[str, tuple[str, str]]) -> Figure:
    if figure.field not in measured:
        return figure
    unit, value = measured[figure.field]
    source = _SOURCE if figure.field.startswith("facts") else f"{figure.source}; {_SOURCE}"
    return replace(figure, value=value, unit=unit, source=source, estimate=False)
