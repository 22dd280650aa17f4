"""What every way to search offers to the benchmark."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from edge_mrl.slices import FloatArray

K = 10
LADDER = (
    *(20, 25, 30, 40, 50, 60, 75, 100, 125, 150, 200, 250, 300, 400, 500, 600, 800),
    *(1000, 1250, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 8000),
)
"""Lengths of shortlists or search lists that are tried, shortest first."""

Effort = int | tuple[int, ...] | None
"""The length of a list; of each, where one stage hands on to the next."""


class Contender:
    """One way to search. `build` runs in one process, `open` and the rest in another.

    Attributes:
        name: in the table.
        package: the module it needs; None where nothing is to be installed.
        keeps_file: whether `open` reads what `build` wrote. Where not, it starts from the vectors,
            and there is no file or time to open to compare.
        effort: the shortlist or search list, or several after one another, for those that have
            one: the longest to be tried; then set by the benchmark.
        insert_s: seconds that adding took, without what is done once after it; set by `build`
            where it can tell them apart.
    """

    name: str
    package: str | None = None
    keeps_file: bool = True
    effort: Effort = None
    insert_s: float | None = None

    @property
    def note(self) -> str:
        """Its settings."""
        if self.effort is None:
            return ""
        lists = (self.effort,) if isinstance(self.effort, int) else self.effort
        return "shortlist " + " > ".join(map(str, lists))

    def build(self, documents: FloatArray, folder: Path) -> None:
        """Write everything that `open` needs, (n, d) float32, into an empty folder."""
        np.save(folder / "documents.npy", documents)

    def open(self, folder: Path) -> None:
        """Get ready to search."""
        raise NotImplementedError

    def search(self, query: FloatArray) -> list[int]:
        """Numbers of the best 10 documents, from 0."""
        raise NotImplementedError

    def scan_speed(self, query: FloatArray) -> float | None:
        """Bytes a second of the first stage alone, for those that can tell it apart."""
        return None

    def search_many(self, queries: FloatArray, threads: int) -> list[list[int]]:
        """A batch, by the library's own call for it where there is one."""
        return shared_out(self.search, queries, threads)


def shared_out(
    search: Callable[[FloatArray], list[int]], queries: FloatArray, threads: int
) -> list[list[int]]:
    """One query after the other, by so many Python threads."""
    if threads == 1:
        return [search(query) for query in queries]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(search, queries))


def installed(contender: Contender) -> bool:
    """Whether the package it needs is there."""
    return contender.package is None or importlib.util.find_spec(contender.package) is not None
