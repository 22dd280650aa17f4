"""What a document's metadata holds under a key, as the index of that key keeps it. Pure."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence

from edge_mrl.retrieval.keys import Step

TEXT, NUMBER, FLAG = 1, 2, 3
"""Kinds of values, which never equal one another."""

Entry = tuple[int, str | int | float]
"""A kind and a value."""

_INT_LIMIT = 2**63
_LARGEST_FLOAT = int(sys.float_info.max)


def entries(metadata: object, steps: Sequence[Step]) -> set[Entry]:
    """The texts, numbers and truth values at the end of a key, and those in a list there.

    Args:
        metadata: a parsed JSON object.
        steps: from `parse_key`.
    """
    found: set[Entry] = set()
    for value in _reached(metadata, steps):
        for item in value if isinstance(value, list) else [value]:
            entry = _entry(item)
            if entry is not None:
                found.add(entry)
    return found


def values(metadata: object, steps: Sequence[Step]) -> list[str | int | float | bool]:
    """What `entries` finds, as plain values in an order that is always the same."""
    found = sorted(entries(metadata, steps), key=lambda entry: (entry[0], str(entry[1])))
    return [bool(value) if kind == FLAG else value for kind, value in found]


def _reached(value: object, steps: Sequence[Step]) -> Iterator[object]:
    if not steps:
        yield value
        return
    name = steps[0].name
    if name is None:
        for item in value if isinstance(value, list) else ():
            yield from _reached(item, steps[1:])
    elif isinstance(value, dict) and name in value:
        yield from _reached(value[name], steps[1:])


def _entry(value: object) -> Entry | None:
    match value:
        case bool():
            return FLAG, int(value)
        case str():
            # No filter holds such a text, so it need not be found.
            broken = any("\ud800" <= letter <= "\udfff" for letter in value)
            return None if broken else (TEXT, value)
        case int() if not -_INT_LIMIT <= value < _INT_LIMIT:
            # SQLite too reads such a number from JSON as a float.
            largest = math.inf if value > 0 else -math.inf
            return NUMBER, largest if abs(value) > _LARGEST_FLOAT else float(value)
        case int() | float():
            return NUMBER, value
    return None
