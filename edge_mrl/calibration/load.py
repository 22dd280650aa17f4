"""Whether a machine is at rest, so that a time measured on it may be believed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_LOAD = 0.5
"""Processes waiting for each core, over the last minute, besides this one."""

MOST_STOLEN = 0.02
"""Share of the time that the host of a virtual machine gave to others."""

MOST_SPREAD = 0.25
"""How far the middle of the repeats may lie above the least of them."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """Counters of /proc/stat, in clock ticks: all, and those that the host took away."""

    total: int
    stolen: int


@dataclass(frozen=True, slots=True)
class Repeats:
    """One measurement, several times.

    Attributes:
        what: in words.
        seconds: the times, one or more.
    """

    what: str
    seconds: tuple[float, ...]

    @property
    def best(self) -> float:
        """The least, which other programs disturbed least."""
        return min(self.seconds)

    @property
    def spread(self) -> float:
        """How far the middle one lies above the least, as a fraction."""
        middle = sorted(self.seconds)[len(self.seconds) // 2]
        return middle / self.best - 1 if self.best > 0 else 0.0


def parse_ticks(text: str) -> Ticks | None:
    """Read /proc/stat; None where it is not there or reads otherwise."""
    for line in text.splitlines():
        name, *fields = line.split()
        if name == "cpu" and len(fields) >= 8 and all(field.isdigit() for field in fields):
            numbers = [int(field) for field in fields]
            # Guests' time is counted in the first two fields already.
            return Ticks(sum(numbers[:8]), numbers[7])
    return None


def standing_load(average: float, cores: int) -> str | None:
    """Why a machine with this load average is busy; None where it is not."""
    if average / cores <= MOST_LOAD:
        return None
    return f"its load average is {average:.1f} on {cores} cores"


def stolen_time(before: Ticks | None, after: Ticks | None) -> str | None:
    """Why a machine whose host took time away is busy; None where it is not."""
    if before is None or after is None or after.total <= before.total:
        return None
    share = (after.stolen - before.stolen) / (after.total - before.total)
    return None if share <= MOST_STOLEN else f"its host took {share:.0%} of the time away"


def unsteady(measured: Sequence[Repeats]) -> str | None:
    """Why repeats that differ cannot be believed; None where they agree."""
    worst = max(measured, key=lambda one: one.spread, default=None)
    if worst is None or worst.spread <= MOST_SPREAD:
        return None
    return f"repeats of {worst.what} differ by {worst.spread:.0%}"
