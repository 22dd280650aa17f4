"""The fields of a profile's sections: each read with its unit and source, and noted for display.
Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_mrl.profiles.sheets import Sheet
from edge_mrl.schema import Table

MAX_SOURCE_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of a profile as its file states it, for display.

    `field` is its place, e.g. ``"facts.memory"``; `unit` is empty where the value is a word or
    yes/no; `estimate` says that nobody measured it; `origin` is the name of the profile that states
    it, another one where it is taken over from there.
    """

    field: str
    value: str
    unit: str
    source: str
    estimate: bool
    origin: str


class Fields:
    """The fields of one section. Each is read with its unit and source, and noted as a `Figure`.

    A field comes from the first profile of the chain that has it, as a whole: value, unit and
    source belong together.

    Args:
        chain: from `open_chain`. The last profile extends none and must have every field.
        section: ``"facts"`` or ``"budgets"``.
        figures: gets what was read.
    """

    def __init__(self, chain: Sequence[Sheet], section: str, figures: list[Figure]) -> None:
        self._tables = [
            (sheet.root.table(section), sheet.name)
            for sheet in chain
            if section in sheet.root or sheet is chain[-1]
        ]
        self._section, self._figures = section, figures
        self._known: list[str] = []
        self._origin = ""

    def has(self, key: str) -> bool:
        """Whether the profile, or one that it extends, gives this field."""
        self._known.append(key)
        return any(key in table for table, _ in self._tables)

    def done(self) -> None:
        """Refuse fields that nobody asked for."""
        for table, _ in self._tables:
            table.only(*self._known)

    def quantity(self, key: str, units: Mapping[str, float], low: float, high: float) -> float:
        """A number in one of `units` (unit -> how much of the base unit); low..high in the base
        unit."""
        field, value = self._number(key, units)
        result = value * units[field.text("unit")]
        if not low <= result <= high:
            first, factor = next(iter(units.items()))
            field.fail(
                f"the value {value:g} {field.text('unit')} is out of range; it must be from "
                f"{low / factor:g} to {high / factor:g} {first}",
                "value",
            )
        return result

    def whole(self, key: str, unit: str, high: int) -> int:
        """A whole number in 1..high."""
        field, _ = self._number(key, {unit: 1.0})
        return field.integer("value", 1, high)

    def word(self, key: str) -> str:
        """A short text."""
        field = self._field(key, "value", "source", "estimate")
        value = field.text("value", max_length=60)
        self._note(key, field, value, "")
        return value

    def flag(self, key: str) -> bool:
        """True or false."""
        field = self._field(key, "value", "source", "estimate")
        value = field.flag("value")
        self._note(key, field, "yes" if value else "no", "")
        return value

    def pattern(self, key: str, expression: str, wanted: str) -> str:
        """A short text that a regular expression matches as a whole; `wanted` describes it."""
        field = self._field(key, "value", "source", "estimate")
        value = field.text("value", max_length=60)
        if re.fullmatch(expression, value) is None:
            field.fail(f"the value {value!r} must be {wanted}", "value")
        self._note(key, field, value, "")
        return value

    def choices(self, key: str, known: Sequence[str]) -> tuple[str, ...]:
        """At least one of `known`, each at most once; in the order of `known`."""
        field = self._field(key, "value", "source", "estimate")
        values = field.texts("value")
        unknown = [value for value in values if value not in known]
        if unknown or not values or len(set(values)) != len(values):
            field.fail(
                f"the value must name one or more out of {', '.join(known)}, each once", "value"
            )
        self._note(key, field, ", ".join(values), "")
        return tuple(one for one in known if one in values)

    def _number(self, key: str, units: Mapping[str, float]) -> tuple[Table, float]:
        field = self._field(key, "value", "unit", "source", "estimate")
        # The sign is checked with the unit, so that the message can give the range in that unit.
        value = field.number("value")
        unit = field.text("unit")
        if unit not in units:
            field.fail(f"the unit {unit!r} is unknown here; write {' or '.join(units)}")
        self._note(key, field, f"{value:g}", unit)
        return field, value

    def _field(self, key: str, *parts: str) -> Table:
        self._known.append(key)
        table, self._origin = next(
            (found for found in self._tables if key in found[0]), self._tables[-1]
        )
        field = table.table(key)
        field.only(*parts)
        return field

    def _note(self, key: str, field: Table, value: str, unit: str) -> None:
        source = field.text("source", max_length=MAX_SOURCE_LENGTH)
        if not source.strip():
            field.fail("the source is empty: say where the value comes from")
        estimate = "estimate" in field and field.flag("estimate")
        self._figures.append(
            Figure(f"{self._section}.{key}", value, unit, source, estimate, self._origin)
        )
