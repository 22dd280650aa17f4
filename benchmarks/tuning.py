"""How long a contender's list must be for a wanted recall, found on queries that are not timed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

from benchmarks.contender import LADDER, Effort, K
from benchmarks.hosted import Hosted

TOGETHER = 50
"""Queries asked at a time."""


def recall_shares(
    truth: Sequence[set[int]], found: Iterable[tuple[int, Sequence[int]]]
) -> list[float]:
    """Of each query, how much of the exact top 10 is found.

    Args:
        truth: the exact top 10 of every query.
        found: number of a query, rows found.
    """
    return [len(truth[number] & set(best)) / K for number, best in found]


class Tuning:
    """Chooses lists for one wanted recall.

    Args:
        truth: the exact top 10 of every query.
        numbers: of the queries that lists are chosen on.
        recall: that is wanted.
        seconds: CPU time after which one try asks no more.
    """

    def __init__(
        self, truth: Sequence[set[int]], numbers: Sequence[int], recall: float, seconds: float
    ) -> None:
        self._truth, self._numbers = truth, numbers
        self._recall, self._seconds = recall, seconds

    def choose(self, host: Hosted) -> None:
        """Give a contender the shortest list whose recall, less its standard error, is the wanted
        one, so that other queries may expect as much; where none is, the shortest that comes
        within 0.002 of its best. Of two lists the first, whose rows cost less, may use up half of
        what may be missed."""
        longest = host.contender.effort
        if longest is None:
            return
        best, error = self._tried(host, longest)
        reachable = best - error >= self._recall
        wanted = self._recall if reachable else best - 0.002
        if isinstance(longest, int):
            host.contender.effort = self._shortest(
                host, longest, lambda rung: rung, wanted, sure=reachable
            )
            return
        chosen = list(longest)
        for place, rung_before in enumerate(longest):
            share = (place + 1) / len(longest)

            def with_rung(rung: int, place: int = place) -> tuple[int, ...]:
                return (*chosen[:place], rung, *(min(rung, last) for last in chosen[place + 1 :]))

            aim = 1 - share * (1 - wanted) if reachable else wanted
            aim = min(aim, best - error * reachable)
            chosen[place] = self._shortest(host, rung_before, with_rung, aim, sure=reachable)
        host.contender.effort = tuple(chosen)

    def _shortest(
        self,
        host: Hosted,
        longest: int,
        effort: Callable[[int], Effort],
        wanted: float,
        *,
        sure: bool,
    ) -> int:
        """The shortest list that reaches a recall, if `sure` less its standard error, by halving
        the ladder."""
        ladder = [rung for rung in LADDER if rung <= longest]
        low, high = 0, len(ladder) - 1
        while low < high:
            middle = (low + high) // 2
            recall, error = self._tried(host, effort(ladder[middle]))
            if recall - error * sure >= wanted:
                high = middle
            else:
                low = middle + 1
        return ladder[low]

    def _tried(self, host: Hosted, effort: Effort) -> tuple[float, float]:
        """Recall on as many of the queries as there is time for, and its standard error."""
        host.contender.effort = effort
        shares: list[float] = []
        spent = 0.0
        for start in range(0, len(self._numbers), TOGETHER):
            numbers = self._numbers[start : start + TOGETHER]
            answers = host.search(numbers)
            shares += recall_shares(
                self._truth, zip(numbers, (found for _, _, found in answers), strict=True)
            )
            spent += sum(seconds for seconds, _, _ in answers)
            if spent > self._seconds:
                break
        recall = statistics.mean(shares)
        if len(shares) < 2:
            return recall, 0.0
        return recall, statistics.stdev(shares) / len(shares) ** 0.5
