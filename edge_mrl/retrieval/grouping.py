"""Hits put together by a value in their metadata. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from edge_mrl.retrieval.filters import Scalar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Group(Generic[T]):
    """Hits that share a value.

    Attributes:
        value: what they share.
        hits: the best of them, best first.
    """

    value: Scalar | float
    hits: list[T]


def grouped(
    hits: Iterable[tuple[T, Iterable[Scalar | float]]], limit: int, size: int
) -> list[Group[T]]:
    """The best groups, each where its best hit stands; a hit with several values is in the group of
    each, one without in none.

    Args:
        hits: hits and their values, best first.
        limit: groups wanted.
        size: hits wanted of each.
    """
    found: dict[tuple[type, Scalar | float], Group[T]] = {}
    for hit, values in hits:
        for value in values:
            # 1 and True are equal to Python.
            name = (type(value), value)
            if name not in found:
                if len(found) == limit:
                    continue
                found[name] = Group(value, [])
            if len(found[name].hits) < size:
                found[name].hits.append(hit)
    return list(found.values())
