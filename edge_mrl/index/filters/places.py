"""Where a key leads in a document's metadata, as SQL. Pure text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge_mrl.index.filters.sql import Sql, joined, listed
from edge_mrl.retrieval.keys import Step


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key leads: tables to walk, what must hold of them, and the value found there.

    Attributes:
        tables: `json_each` calls that are joined.
        names: of those tables.
        conditions: on those tables.
        json_type: the value's JSON type; null where there is none.
        value: the value; JSON text for lists and objects.
    """

    tables: tuple[Sql, ...]
    names: tuple[str, ...]
    conditions: tuple[Sql, ...]
    json_type: Sql
    value: Sql

    def exists(self, test: Sql) -> Sql:
        """Whether a value here meets a test."""
        if not self.tables:
            return Sql("coalesce(") + test + Sql(", 0)")
        conditions = joined([*self.conditions, test], "AND", "1")
        found = Sql("EXISTS (SELECT 1 FROM ") + listed(self.tables, ", ")
        return found + Sql(" WHERE ") + conditions + Sql(")")

    def is_not_an_empty_list(self) -> Sql:
        """Whether the value is anything but a list without elements."""
        length = Sql("json_array_length(CASE ") + self.json_type + Sql(" WHEN 'array' THEN ")
        return Sql("NOT coalesce(") + length + self.value + Sql(" END) = 0, 0)")


def place(steps: Sequence[Step], document: Sql, names: Iterator[str]) -> Place:
    """Where steps lead from a JSON text.

    Args:
        steps: of a key, at least one.
        document: the JSON text.
        names: for tables, each new to the statement.
    """
    tables: list[Sql] = []
    used: list[str] = []
    conditions: list[Sql] = []
    # The JSON text at hand, and a path in it that was not walked yet.
    json_text, waiting = document, list[Step]()
    json_type, value = Sql(""), Sql("")
    for step in steps:
        if step.plain:
            waiting.append(step)
            continue
        # Names of other characters are found by walking: older SQLite versions compare a path
        # with the escaped form of a key.
        name = next(names)
        path = (_path(waiting),)
        is_ = "array" if step.name is None else "object"
        opened = Sql("CASE json_type(") + json_text + Sql(f", ?) WHEN '{is_}' THEN ", path)
        tables.append(Sql("json_each(") + opened + json_text + Sql(f" END, ?) {name}", path))
        used.append(name)
        if step.name is not None:
            conditions.append(Sql(f"{name}.key = ?", (step.name,)))
        json_type, value = Sql(f"{name}.type"), Sql(f"{name}.value")
        json_text = Sql(f"CASE WHEN {name}.type IN ('object', 'array') THEN {name}.value END")
        waiting = []
    if waiting:
        path = (_path(waiting),)
        json_type = Sql("json_type(") + json_text + Sql(", ?)", path)
        value = Sql("json_extract(") + json_text + Sql(", ?)", path)
    return Place(tuple(tables), tuple(used), tuple(conditions), json_type, value)


def _path(steps: Sequence[Step]) -> str:
    return "$" + "".join(f'."{step.name}"' for step in steps)
