"""A filter as one SQL expression over the table `documents`. Pure text; values and JSON paths are
parameters, never part of the text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from edge_mrl.index.companions import payload
from edge_mrl.index.storage.schema_sql import METADATA
from edge_mrl.retrieval.filters import (
    Condition,
    FieldCondition,
    Filter,
    HasId,
    IsEmpty,
    IsNull,
    MatchAny,
    MatchExcept,
    MatchValue,
    Nested,
    Range,
)
from edge_mrl.retrieval.keys import Step, parse_key

_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL and the values of its question marks, in order."""

    text: str
    values: tuple[str | int | float, ...] = ()

    def __add__(self, other: Sql) -> Sql:
        return Sql(self.text + other.text, self.values + other.values)


def joined(parts: Sequence[Sql], word: str, empty: str) -> Sql:
    """Pieces in brackets with a word between; `empty` where there are none. One piece stands as it
    is: older SQLite reads a hundred open brackets, and filters may be nested."""
    if not parts:
        return Sql(empty)
    if len(parts) == 1:
        return parts[0]
    texts = f" {word} ".join(f"({part.text})" for part in parts)
    return Sql(texts, tuple(value for part in parts for value in part.values))


def where(filter_: Filter) -> Sql:
    """An expression that is true, never null, for the documents that the filter keeps."""
    return _Builder().filter(filter_, Sql(METADATA))


def can_use_index(condition: Condition) -> bool:
    """Whether an index of its key finds what this condition keeps."""
    return isinstance(condition, FieldCondition) and not isinstance(condition.match, MatchExcept)


def indexed_rows(condition: FieldCondition, number: int) -> Sql:
    """A statement for the rows of a condition, read from the index of its key; some may come
    twice.

    Args:
        condition: for which `can_use_index` is true.
        number: of the key.
    """
    entries = Sql("SELECT row FROM payload_values WHERE key = ? AND ", (number,))
    branches = [
        entries + Sql("kind = ? AND ", (kind,)) + test
        for kind, test in _tests(condition, Sql("value")).items()
    ]
    if not branches:
        return Sql("SELECT row FROM payload_values WHERE 0")
    texts = " UNION ALL ".join(branch.text for branch in branches)
    return Sql(texts, tuple(item for branch in branches for item in branch.values))


def _path(steps: Sequence[Step]) -> str:
    return "$" + "".join(f'."{step.name}"' for step in steps)


_Tests = Mapping[int, Sql]
"""Kinds of values, as `payload` numbers them -> what a value of that kind must meet; a value of any
other does not meet the condition."""

_JSON_TYPES = {payload.TEXT: ("text",), payload.NUMBER: ("integer", "real")}
_JSON_TYPES[payload.FLAG] = ("true", "false")


def _tests(condition: FieldCondition, value: Sql) -> _Tests:
    """What one value must meet. A test compares values of one kind, for an index's sake; truth
    values are 1 and 0, as SQLite reads them from JSON."""
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


def _of_kind(kind: Sql, tests: Sequence[tuple[str, Sql]]) -> Sql:
    """The test for a value of this JSON type; null for a type without one."""
    found = Sql("CASE ") + kind
    for name, test in tests:
        found += Sql(f" WHEN '{name}' THEN ") + test
    return found + Sql(" END") if tests else Sql("0")


def _by_json_type(tests: _Tests) -> list[tuple[str, Sql]]:
    return [(name, test) for kind, test in tests.items() for name in _JSON_TYPES[kind]]


def _one_of(wanted: Sequence[str | int], value: Sql) -> _Tests:
    listed: dict[int, list[str | int]] = {}
    for item in wanted:
        kind = payload.TEXT if isinstance(item, str) else payload.NUMBER
        listed.setdefault(kind, []).append(item)
    return {kind: value + _equal_or_in(items) for kind, items in listed.items()}


def _equal_or_in(wanted: Sequence[str | int]) -> Sql:
    if len(wanted) == 1:
        return Sql(" = ?", (wanted[0],))
    return Sql(" IN (SELECT value FROM json_each(?))", (json.dumps(list(wanted)),))


def _in_range(range_: Range, value: Sql) -> _Tests:
    bounds = {name: getattr(range_, name) for name in _COMPARISONS}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    are_texts = isinstance(next(iter(given.values())), str)
    parts = [value + Sql(f" {_COMPARISONS[name]} ?", (bound,)) for name, bound in given.items()]
    return {payload.TEXT if are_texts else payload.NUMBER: joined(parts, "AND", "1")}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a key leads: tables to walk, what must hold of them, and the value found there.

    Attributes:
        tables: `json_each` calls that are joined.
        conditions: on those tables.
        kind: the value's JSON type; null where there is none.
        value: the value; JSON text for lists and objects.
    """

    tables: tuple[Sql, ...]
    conditions: tuple[Sql, ...]
    kind: Sql
    value: Sql

    def exists(self, test: Sql) -> Sql:
        """Whether a value here meets a test."""
        if not self.tables:
            return Sql("coalesce(") + test + Sql(", 0)")
        tables = Sql(
            ", ".join(table.text for table in self.tables),
            tuple(value for table in self.tables for value in table.values),
        )
        conditions = joined([*self.conditions, test], "AND", "1")
        return Sql("EXISTS (SELECT 1 FROM ") + tables + Sql(" WHERE ") + conditions + Sql(")")


_HAS_ID = (
    "((documents.id IS NOT NULL AND documents.id IN (SELECT value FROM json_each(?))) OR "
    "(documents.id IS NULL AND "
    "documents.row IN (SELECT value FROM json_each(?) WHERE type = 'integer')))"
)
"""Never NULL, which NOT would leave NULL; each side has an index."""


class _Builder:
    """Builds one expression; gives each table in it a name of its own."""

    def __init__(self) -> None:
        self._names = (f"e{number}" for number in count())

    def filter(self, filter_: Filter, document: Sql) -> Sql:
        parts = [self.condition(condition, document) for condition in filter_.must]
        if filter_.should:
            tests = [self.condition(condition, document) for condition in filter_.should]
            parts.append(joined(tests, "OR", "0"))
        if filter_.must_not:
            tests = [self.condition(condition, document) for condition in filter_.must_not]
            parts.append(Sql("NOT (") + joined(tests, "OR", "0") + Sql(")"))
        if filter_.min_should is not None:
            tests = [self.condition(c, document) for c in filter_.min_should.conditions]
            least = Sql(" >= ?", (filter_.min_should.min_count,))
            parts.append(Sql("(") + joined(tests, "+", "0") + Sql(")") + least)
        return joined(parts, "AND", "1")

    def condition(self, condition: Condition, document: Sql) -> Sql:
        match condition:
            case Filter():
                return self.filter(condition, document)
            case HasId(ids):
                listed = json.dumps(list(ids))
                return Sql(_HAS_ID, (listed, listed))
            case IsNull(key):
                place = self._place(parse_key(key, "key"), document)
                return place.exists(place.kind + Sql(" = 'null'"))
            case IsEmpty(key):
                place = self._place(parse_key(key, "key"), document)
                filled = place.kind + Sql(" != 'null' AND ") + self._not_an_empty_list(place)
                return Sql("NOT ") + place.exists(filled)
            case Nested(key, filter_):
                return self._nested(parse_key(key, "key"), filter_, document)
            case FieldCondition():
                return self._field(condition, document)

    def _not_an_empty_list(self, place: _Place) -> Sql:
        length = Sql("json_array_length(CASE ") + place.kind + Sql(" WHEN 'array' THEN ")
        return Sql("NOT coalesce(") + length + place.value + Sql(" END) = 0, 0)")

    def _field(self, condition: FieldCondition, document: Sql) -> Sql:
        place = self._place(parse_key(condition.key, "key"), document)
        name = next(self._names)
        inside = _by_json_type(_tests(condition, Sql(f"{name}.value")))
        elements = Sql("EXISTS (SELECT 1 FROM json_each(") + place.value + Sql(f") {name} WHERE ")
        elements += _of_kind(Sql(f"{name}.type"), inside) + Sql(")")
        # The type is asked once, and `json_each` opened for lists alone: each takes as long as
        # finding the value.
        itself = _by_json_type(_tests(condition, place.value))
        return place.exists(_of_kind(place.kind, [*itself, ("array", elements)]))

    def _nested(self, steps: tuple[Step, ...], filter_: Filter, document: Sql) -> Sql:
        if steps[-1].name is not None:
            steps = (*steps, Step(None))
        place = self._place(steps, document)
        is_object = place.kind + Sql(" = 'object'")
        element = Sql("CASE ") + place.kind + Sql(" WHEN 'object' THEN ") + place.value
        inner = self.filter(filter_, element + Sql(" END"))
        return place.exists(joined([is_object, inner], "AND", "1"))

    def _place(self, steps: tuple[Step, ...], document: Sql) -> _Place:
        tables: list[Sql] = []
        conditions: list[Sql] = []
        # The JSON text at hand, and a path in it that was not walked yet.
        json_text, waiting = document, list[Step]()
        kind, value = Sql(""), Sql("")
        for step in steps:
            if step.plain:
                waiting.append(step)
                continue
            # Names of other characters are found by walking: older SQLite versions compare a path
            # with the escaped form of a key.
            name = next(self._names)
            path = (_path(waiting),)
            is_ = "array" if step.name is None else "object"
            opened = Sql("CASE json_type(") + json_text + Sql(f", ?) WHEN '{is_}' THEN ", path)
            tables.append(Sql("json_each(") + opened + json_text + Sql(f" END, ?) {name}", path))
            if step.name is not None:
                conditions.append(Sql(f"{name}.key = ?", (step.name,)))
            kind, value = Sql(f"{name}.type"), Sql(f"{name}.value")
            json_text = Sql(f"CASE WHEN {name}.type IN ('object', 'array') THEN {name}.value END")
            waiting = []
        if waiting:
            path = (_path(waiting),)
            kind = Sql("json_type(") + json_text + Sql(", ?)", path)
            value = Sql("json_extract(") + json_text + Sql(", ?)", path)
        return _Place(tuple(tables), tuple(conditions), kind, value)
