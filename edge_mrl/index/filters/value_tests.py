"""What one value of the metadata must meet, as SQL. Pure text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from edge_mrl.index.companions import payload
from edge_mrl.index.filters.sql import Sql, joined
from edge_mrl.retrieval.filters import FieldCondition, MatchAny, MatchExcept, MatchValue, Range

_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

_JSON_TYPES = {
    payload.TEXT: ("text",),
    payload.NUMBER: ("integer", "real"),
    payload.FLAG: ("true", "false"),
}


def value_tests(condition: FieldCondition, value: Sql) -> Mapping[int, Sql]:
    """Kinds of values, as `payload` numbers them -> what a value of that kind must meet; a value of
    any other does not meet the condition.

    A test compares values of one kind, for an index's sake; truth values are 1 and 0, as SQLite
    reads them from JSON.
    """
    if condition.range is not None:
        return _in_range(condition.range, value)
    match condition.match:
        case MatchValue(wanted) if isinstance(wanted, bool):
            return {payload.FLAG: value + Sql(" = ?", (int(wanted),))}
        case MatchValue(wanted):
            return _one_of((wanted,), value)
        case MatchAny(any_):
            return _one_of(any_, value)
        case MatchExcept(excepted):
            refused = _one_of(excepted, value)
            return {
                kind: Sql("NOT ") + refused[kind] if kind in refused else Sql("1")
                for kind in _JSON_TYPES
            }
    raise AssertionError(condition)


def by_json_type(condition: FieldCondition, value: Sql) -> list[tuple[str, Sql]]:
    """The same with the types of values as SQLite's JSON functions name them."""
    tests = value_tests(condition, value)
    return [(name, test) for kind, test in tests.items() for name in _JSON_TYPES[kind]]


def of_type(json_type: Sql, tests: Sequence[tuple[str, Sql]]) -> Sql:
    """The test for a value of this JSON type; null for a type without one."""
    found = Sql("CASE ") + json_type
    for name, test in tests:
        found += Sql(f" WHEN '{name}' THEN ") + test
    return found + Sql(" END") if tests else Sql("0")


def _one_of(wanted: Sequence[str | int], value: Sql) -> Mapping[int, Sql]:
    sorted_: dict[int, list[str | int]] = {}
    for item in wanted:
        kind = payload.TEXT if isinstance(item, str) else payload.NUMBER
        sorted_.setdefault(kind, []).append(item)
    return {kind: value + _equal_or_in(items) for kind, items in sorted_.items()}


def _equal_or_in(wanted: Sequence[str | int]) -> Sql:
    if len(wanted) == 1:
        return Sql(" = ?", (wanted[0],))
    return Sql(" IN (SELECT value FROM json_each(?))", (json.dumps(list(wanted)),))


def _in_range(range_: Range, value: Sql) -> Mapping[int, Sql]:
    bounds = {name: getattr(range_, name) for name in _COMPARISONS}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    are_texts = isinstance(next(iter(given.values())), str)
    parts = [value + Sql(f" {_COMPARISONS[name]} ?", (bound,)) for name, bound in given.items()]
    return {payload.TEXT if are_texts else payload.NUMBER: joined(parts, "AND", "1")}
