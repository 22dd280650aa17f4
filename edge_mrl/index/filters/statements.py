"""A filter as one SQL statement over the table `documents`. Pure text.

SQLite before 3.46 reads a statement with a stack of 100 places, so a filter may not be as deep in
the statement as it is by itself. What stands too deep becomes a table in the WITH clause: of the
documents, or elements in them, for which it holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from edge_mrl.index.filters.places import Place, place
from edge_mrl.index.filters.sql import Sql, joined, listed
from edge_mrl.index.filters.value_tests import by_json_type, of_type, value_tests
from edge_mrl.index.storage.schema_sql import METADATA
from edge_mrl.retrieval.filters import (
    Condition,
    FieldCondition,
    Filter,
    HasId,
    IsEmpty,
    IsNull,
    MatchExcept,
    Nested,
)
from edge_mrl.retrieval.keys import Step, parse_key


def matching_rows(filter_: Filter, among: Sequence[Sql] = ()) -> Sql:
    """A statement for the rows of the documents that a filter keeps.

    Args:
        filter_: the filter.
        among: conditions on `documents` that hold for all that is looked at.
    """
    builder = _Builder(among)
    kept = builder.filter(filter_, _WHOLE)
    tables = [
        Sql(f"n{number} AS (") + body + Sql(")") for number, body in enumerate(builder.tables, 1)
    ]
    start = Sql("WITH ") + listed(tables, ", ") + Sql(" ") if tables else Sql("")
    selection = Sql("SELECT row FROM documents WHERE ") + joined([*among, kept], "AND", "1")
    return start + selection


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
        for kind, test in value_tests(condition, Sql("value")).items()
    ]
    return listed(branches, " UNION ALL ") if branches else entries + Sql("0")


_HAS_ID = (
    "((documents.id IS NOT NULL AND documents.id IN (SELECT value FROM json_each(?))) OR "
    "(documents.id IS NULL AND "
    "documents.row IN (SELECT value FROM json_each(?) WHERE type = 'integer')))"
)
"""Never NULL, which NOT would leave NULL; each side has an index."""


@dataclass(frozen=True, slots=True)
class _Context:
    """What conditions are about: documents, or elements of lists in them.

    Attributes:
        json_text: of the document or element.
        tables: that lead to the element, after `documents`.
        names: of those tables; their ids tell the elements of a document apart.
        conditions: on those tables.
    """

    json_text: Sql
    tables: tuple[Sql, ...] = ()
    names: tuple[str, ...] = ()
    conditions: tuple[Sql, ...] = ()

    def elements(self, place_: Place) -> _Context:
        """The objects at a place in this one."""
        is_object = place_.json_type + Sql(" = 'object'")
        json_text = Sql("CASE ") + place_.json_type + Sql(" WHEN 'object' THEN ") + place_.value
        return _Context(
            json_text + Sql(" END"),
            self.tables + place_.tables,
            self.names + place_.names,
            (*self.conditions, *place_.conditions, is_object),
        )


_WHOLE = _Context(Sql(METADATA))

_ROOM = 34
"""Places of the stack that filters and `nested` may take in one expression. A condition takes up to
55, with the start of the statement, and the WITH clause 5."""

_BRACKETS = 3
"""Places for each bracket among others: what was read before it, the word between, itself."""

_FILTER = 8
"""Places that a filter takes at most: two brackets among others, NOT and a bracket."""

_NESTED = 10
"""Places that a `nested` takes beside its filter."""


class _Builder:
    """Builds expressions that are true or false, never null, where a filter's conditions are.

    Attributes:
        tables: statements of the WITH clause, for the names n1, n2 and so on.
    """

    def __init__(self, among: Sequence[Sql]) -> None:
        self.tables: list[Sql] = []
        self._among = among
        self._names: Iterator[str] = (f"e{number}" for number in count())

    def filter(self, filter_: Filter, context: _Context, room: int = _ROOM) -> Sql:
        """The expression of a filter.

        Args:
            filter_: the filter.
            context: what it is about.
            room: places of the stack that it may take, beside those of a condition.
        """
        least = filter_.min_should
        clauses = (filter_.should, filter_.must_not, least)
        if len(filter_.must) + sum(bool(clause) for clause in clauses) > 1:
            room -= _BRACKETS

        def all_of(conditions: Sequence[Condition], room: int) -> list[Sql]:
            return [self._condition(condition, context, room) for condition in conditions]

        parts = all_of(filter_.must, room)
        if filter_.should:
            parts.append(joined(all_of(filter_.should, room - _BRACKETS), "OR", "0"))
        if filter_.must_not:
            refused = joined(all_of(filter_.must_not, room - _BRACKETS - 2), "OR", "0")
            parts.append(Sql("NOT (") + refused + Sql(")"))
        if least is not None:
            met = joined(all_of(least.conditions, room - _BRACKETS - 1), "+", "0")
            parts.append(Sql("(") + met + Sql(") >= ?", (least.min_count,)))
        return joined(parts, "AND", "1")

    def _condition(self, condition: Condition, context: _Context, room: int) -> Sql:
        match condition:
            case Filter():
                if room >= _FILTER:
                    return self.filter(condition, context, room)
                return self._table(context, context, self.filter(condition, context))
            case HasId(ids):
                wanted = json.dumps(list(ids))
                return Sql(_HAS_ID, (wanted, wanted))
            case IsNull(key):
                found = self._place(parse_key(key, "key"), context)
                return found.exists(found.json_type + Sql(" = 'null'"))
            case IsEmpty(key):
                found = self._place(parse_key(key, "key"), context)
                filled = found.json_type + Sql(" != 'null' AND ") + found.is_not_an_empty_list()
                return Sql("NOT ") + found.exists(filled)
            case Nested(key, filter_):
                return self._nested(parse_key(key, "key"), filter_, context, room)
            case FieldCondition():
                return self._field(condition, context)

    def _field(self, condition: FieldCondition, context: _Context) -> Sql:
        found = self._place(parse_key(condition.key, "key"), context)
        name = next(self._names)
        inside = by_json_type(condition, Sql(f"{name}.value"))
        elements = Sql("EXISTS (SELECT 1 FROM json_each(") + found.value + Sql(f") {name} WHERE ")
        elements += of_type(Sql(f"{name}.type"), inside) + Sql(")")
        # The type is asked once, and `json_each` opened for lists alone: each takes as long as
        # finding the value.
        itself = by_json_type(condition, found.value)
        return found.exists(of_type(found.json_type, [*itself, ("array", elements)]))

    def _nested(
        self, steps: tuple[Step, ...], filter_: Filter, context: _Context, room: int
    ) -> Sql:
        if steps[-1].name is not None:
            steps = (*steps, Step(None))
        found = self._place(steps, context)
        inside = context.elements(found)
        if room < _NESTED + _FILTER:
            return self._table(context, inside, self.filter(filter_, inside))
        # In its place it is not looked at where a condition before it fails.
        inner = self.filter(filter_, inside, room - _NESTED)
        return found.exists(joined([inside.conditions[-1], inner], "AND", "1"))

    def _table(self, context: _Context, inside: _Context, test: Sql) -> Sql:
        """A look-up of `context` in a table of those in which a test holds `inside`."""
        outer = ", ".join(["documents.row", *(f"{name}.id" for name in context.names)])
        body = Sql(f"SELECT {outer} FROM ") + listed([Sql("documents"), *inside.tables], ", ")
        body += Sql(" WHERE ") + joined([*self._among, *inside.conditions, test], "AND", "1")
        self.tables.append(body)
        return Sql(f"({outer}) IN n{len(self.tables)}")

    def _place(self, steps: tuple[Step, ...], context: _Context) -> Place:
        return place(steps, context.json_text, self._names)
