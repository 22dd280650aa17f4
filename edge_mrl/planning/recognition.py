"""Which profile fits a machine, and the profile with that machine's own memory and cores. Pure."""

from __future__ import annotations

from dataclasses import replace

from edge_mrl.planning.profile import DeviceProfile, Figure
from edge_mrl.planning.this_machine import Machine

BOARDS = (
    ("Raspberry Pi Zero 2", "raspberry-pi-zero-2w"),
    ("Raspberry Pi 3 Model B Plus", "raspberry-pi-3b-plus"),
    ("Raspberry Pi 4", "raspberry-pi-4b"),
    ("Raspberry Pi Compute Module 4", "raspberry-pi-4b"),
    ("Raspberry Pi 5", "raspberry-pi-5"),
    ("Raspberry Pi Compute Module 5", "raspberry-pi-5"),
)
"""How a device tree's model begins -> the profile that describes the board. A Pi 400 is a Pi 4."""

OTHERWISE = "laptop"
"""The profile of a machine that is no known board."""

_SOURCE = "read on this machine"


def recognise(machine: Machine) -> str:
    """The name of the profile that describes a machine best."""
    for start, name in BOARDS:
        if machine.model.startswith(start):
            return name
    return OTHERWISE


def fitted(profile: DeviceProfile, machine: Machine) -> DeviceProfile:
    """A profile with the machine's cores and memory; the memory budget keeps its share of it.

    A board is sold with several sizes of memory, and a container gets a part of it.
    """
    share = profile.budgets.memory_bytes / profile.facts.memory_bytes
    budget = min(profile.budgets.memory_bytes, int(share * machine.memory_bytes))
    measured = {
        "facts.cores": ("cores", f"{machine.cores}"),
        "facts.memory": ("MiB", f"{machine.memory_bytes / 2**20:.0f}"),
        "budgets.memory": ("MiB", f"{budget / 2**20:.0f}"),
    }
    return replace(
        profile,
        facts=replace(profile.facts, cores=machine.cores, memory_bytes=machine.memory_bytes),
        budgets=replace(profile.budgets, memory_bytes=budget),
        figures=tuple(_restated(figure, measured) for figure in profile.figures),
    )


def _restated(figure: Figure, measured: dict[str, tuple[str, str]]) -> Figure:
    if figure.field not in measured:
        return figure
    unit, value = measured[figure.field]
    source = _SOURCE if figure.field.startswith("facts") else f"{figure.source}; {_SOURCE}"
    return replace(figure, value=value, unit=unit, source=source, estimate=False)
