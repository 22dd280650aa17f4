"""Pieces of SQL with the values of their question marks. Pure text; values and JSON paths are
parameters, never part of the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL and the values of its question marks, in order."""

    text: str
    values: tuple[str | int | float, ...] = ()

    def __add__(self, other: Sql) -> Sql:
        return Sql(self.text + other.text, self.values + other.values)


def listed(parts: Sequence[Sql], between: str) -> Sql:
    """Pieces one after another with a text between."""
    texts = between.join(part.text for part in parts)
    return Sql(texts, tuple(value for part in parts for value in part.values))


def joined(parts: Sequence[Sql], word: str, empty: str) -> Sql:
    """Pieces in brackets with a word between; `empty` where there are none. One piece stands as it
    is: older SQLite reads a hundred open brackets, and filters may be nested."""
    if len(parts) < 2:
        return parts[0] if parts else Sql(empty)
    return listed([Sql(f"({part.text})", part.values) for part in parts], f" {word} ")
