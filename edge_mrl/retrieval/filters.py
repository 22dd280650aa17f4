"""Conditions on a document's metadata, in Qdrant's words. Pure values; `filter_parser` reads them
from dicts and checks them, `edge_mrl.index.filters.sql` turns them into SQL.

A key names a place in the metadata: ``author.name`` is a key in a key, ``authors[].name`` the key
of each element of a list, and ``"a.b"`` in double quotes one key that holds a dot. A condition
holds when a value at that place meets it; a list meets it when one of its elements does.
"""

from __future__ import annotations

from dataclasses import dataclass

Scalar = str | int | bool
Number = int | float


@dataclass(frozen=True, slots=True)
class MatchValue:
    """The value is this text, whole number, or truth value. 1 and true are two values."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class MatchAny:
    """The value is one of these texts or whole numbers."""

    any: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class MatchExcept:
    """The value is a text, number or truth value, and none of these."""

    except_: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The value lies between bounds of its own kind: numbers, or texts by code point, which sorts
    dates that are written alike, as in ``2024-05-31``."""

    gt: Number | str | None = None
    gte: Number | str | None = None
    lt: Number | str | None = None
    lte: Number | str | None = None


@dataclass(frozen=True, slots=True)
class FieldCondition:
    """A value at `key` meets `match` or lies in `range`; exactly one of them is given."""

    key: str
    match: MatchValue | MatchAny | MatchExcept | None = None
    range: Range | None = None


@dataclass(frozen=True, slots=True)
class IsEmpty:
    """Nothing is at `key` but null or empty lists. Under `must_not` it says that the key exists."""

    key: str


@dataclass(frozen=True, slots=True)
class IsNull:
    """A value at `key` is null."""

    key: str


@dataclass(frozen=True, slots=True)
class HasId:
    """The document has one of these ids."""

    ids: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Nested:
    """One element of the list at `key` meets the whole filter, whose keys start at the element."""

    key: str
    filter: Filter


@dataclass(frozen=True, slots=True)
class MinShould:
    """At least `min_count` of the conditions hold."""

    conditions: tuple[Condition, ...]
    min_count: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents may be found, as Qdrant says it; an empty filter keeps every document.

    ``parse_filter`` makes one of the dict or JSON that Qdrant takes; docs/retrieval.md has all
    conditions.

    Attributes:
        must: all of these hold.
        should: one of these holds, where any is given.
        must_not: none of these holds.
        min_should: as many of its conditions hold as it says.
    """

    must: tuple[Condition, ...] = ()
    should: tuple[Condition, ...] = ()
    must_not: tuple[Condition, ...] = ()
    min_should: MinShould | None = None


Condition = FieldCondition | IsEmpty | IsNull | HasId | Nested | Filter


def as_dict(filter_: Filter) -> dict[str, object]:
    """A filter as the plain values that Qdrant takes and `filter_parser.parse_filter` reads."""
    found: dict[str, object] = {}
    for name in ("must", "should", "must_not"):
        conditions = getattr(filter_, name)
        if conditions:
            listed = conditions if isinstance(conditions, (list, tuple)) else [conditions]
            found[name] = [_condition(condition) for condition in listed]
    if filter_.min_should is not None:
        found["min_should"] = {
            "conditions": [_condition(c) for c in filter_.min_should.conditions],
            "min_count": filter_.min_should.min_count,
        }
    return found


def _condition(condition: object) -> object:
    match condition:
        case Filter():
            return as_dict(condition)
        case IsEmpty():
            return {"is_empty": {"key": condition.key}}
        case IsNull():
            return {"is_null": {"key": condition.key}}
        case HasId():
            return {"has_id": list(condition.ids)}
        case Nested():
            return {"nested": {"key": condition.key, "filter": as_dict(condition.filter)}}
        case FieldCondition():
            return {"key": condition.key} | _tests(condition)
    return condition


def _tests(condition: FieldCondition) -> dict[str, object]:
    found: dict[str, object] = {}
    match condition.match:
        case MatchValue(value):
            found["match"] = {"value": value}
        case MatchAny(any_):
            found["match"] = {"any": list(any_)}
        case MatchExcept(except_):
            found["match"] = {"except": list(except_)}
    if condition.range is not None:
        bounds = {name: getattr(condition.range, name) for name in ("gt", "gte", "lt", "lte")}
        found["range"] = {name: bound for name, bound in bounds.items() if bound is not None}
    return found
