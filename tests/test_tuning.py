"""benchmarks.tuning: lists long enough for other queries too, and no longer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.contender import LADDER, Effort, K
from benchmarks.tuning import Tuning, recall_shares

QUERIES = 200
TRUTH = [set(range(K)) for _ in range(QUERIES)]


class Host:
    """Finds what each query needs a list of so many rows for; a second list must be half as long.
    What is needed goes from 1 to 100 with the number of the query."""

    def __init__(self, longest: Effort, least_missed: int = 0) -> None:
        self.contender = SimpleNamespace(effort=longest)
        self._missed = least_missed

    def search(self, numbers: list[int]) -> list[tuple[float, float, list[int]]]:
        return [(0.001, 0.001, self._found(number)) for number in numbers]

    def _found(self, number: int) -> list[int]:
        effort: Any = self.contender.effort
        first, second = effort if isinstance(effort, tuple) else (effort, effort)
        needed = 1 + number // 2
        missed = self._missed or first < needed or second < needed / 2
        return list(range(1 if missed else 0, K + (1 if missed else 0)))


def chosen(host: Host, recall: float) -> Any:
    Tuning(TRUTH, range(QUERIES), recall, seconds=60).choose(host)  # type: ignore[arg-type]
    return host.contender.effort


def recall_of(host: Host, effort: Effort) -> float:
    host.contender.effort = effort
    answers = host.search(list(range(QUERIES)))
    shares = recall_shares(TRUTH, ((at, found) for at, (_, _, found) in enumerate(answers)))
    return sum(shares) / len(shares)


def test_the_list_is_the_shortest_that_reaches_the_recall_with_a_margin() -> None:
    host = Host(2000)
    effort = chosen(host, 0.99)
    assert recall_of(host, effort) > 0.99
    shorter = LADDER[LADDER.index(effort) - 1]
    # A tenth of a hit is lost by queries that need more: a standard error is at most .0036.
    assert recall_of(host, shorter) < 0.99 + 0.0036


def test_of_two_lists_both_are_chosen() -> None:
    host = Host((2000, 2000))
    first, second = chosen(host, 0.99)
    assert recall_of(host, (first, second)) > 0.99
    assert second < first < 2000


def test_where_the_recall_cannot_be_reached_the_best_is_nearly_kept() -> None:
    host = Host(2000, least_missed=1)
    assert recall_of(host, chosen(host, 0.99)) == pytest.approx(0.9)
    assert chosen(Host(2000, least_missed=1), 0.99) == LADDER[0]
