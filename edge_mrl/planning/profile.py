"""Device profiles: what a device is, and what it may spend on search. Pure parsing.

docs/device-profiles.md is the specification. A profile is refused as a whole if any field is wrong,
so code that holds a `DeviceProfile` may rely on every range and relation checked here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from edge_mrl.bundle.manifest import VariantFormat
from edge_mrl.errors import ProfileError
from edge_mrl.schema import Table

SCHEMA_VERSION = 1
MAX_NAME_LENGTH = 60
MAX_SOURCE_LENGTH = 1000

_BYTES = {"MiB": 2.0**20, "GiB": 2.0**30}
_BYTES_PER_SECOND = {"MB/s": 1e6, "GB/s": 1e9}
_SECONDS = {"us": 1e-6, "ms": 1e-3}
_TIB = 2.0**40


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of a profile as its file states it, for display.

    `field` is its place, e.g. ``"facts.memory"``; `unit` is empty where the value is a word or
    yes/no; `estimate` says that nobody measured it.
    """

    field: str
    value: str
    unit: str
    source: str
    estimate: bool


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What the device is.

    Attributes:
        cores: processor cores.
        clock_hz: their highest clock.
        isa: the instruction set, e.g. ``"armv8.0-a"``.
        dot_product: whether there are int8 dot-product instructions.
        memory_bytes: memory that the operating system sees.
        memory_read: bytes a second that one core reads in a scan.
        storage_random_read: seconds for one 4 KiB read at a random place, nothing else outstanding.
        storage_sequential_read: bytes a second of a long read.
        core_speed: speed of one core in numeric code, relative to the reference machine of `cost`.
        backends: the formats that have an engine for this device; the table needs none.
    """

    cores: int
    clock_hz: float
    isa: str
    dot_product: bool
    memory_bytes: int
    memory_read: float
    storage_random_read: float
    storage_sequential_read: float
    core_speed: float
    backends: tuple[VariantFormat, ...]


@dataclass(frozen=True, slots=True)
class Budgets:
    """What search may cost on the device.

    Attributes:
        memory_bytes: resident memory of the whole process.
        storage_bytes: bundle and index file together.
        query_latency: seconds for searching, without the encoder, 95th percentile.
        quality_kept: least share of the full fp32 vector's nDCG@10 that is acceptable.
    """

    memory_bytes: int
    storage_bytes: int
    query_latency: float
    quality_kept: float


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """A device's facts and budgets, and every figure with its source."""

    name: str
    title: str
    facts: DeviceFacts
    budgets: Budgets
    figures: tuple[Figure, ...]


def parse_profile(text: str, where: str) -> DeviceProfile:
    """Read a profile.

    Args:
        text: the TOML document.
        where: how messages name it, usually the file.

    Raises:
        ProfileError: not TOML, of a newer schema, or a field is missing, unknown, mistyped, out of
            range, or in conflict with another.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ProfileError(f"{where} is not valid TOML: {error}") from error
    root = Table(document, where, ProfileError)
    root.only("schema", "name", "title", "facts", "budgets")
    version = root.integer("schema", 1, 10**6)
    if version > SCHEMA_VERSION:
        root.fail(f"schema {version} is newer than this edge-mrl reads ({SCHEMA_VERSION}): upgrade")
    name = root.text("name", max_length=MAX_NAME_LENGTH)
    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) is None:
        root.fail(f"the name {name!r} must be small letters and digits joined by single hyphens")
    title = root.text("title", max_length=100)
    figures: list[Figure] = []
    facts = _facts(_Fields(root.table("facts"), "facts", figures))
    budgets = _budgets(_Fields(root.table("budgets"), "budgets", figures))
    if budgets.memory_bytes > facts.memory_bytes:
        root.fail(
            "budgets.memory is more than facts.memory: a process cannot use what is not there"
        )
    return DeviceProfile(name, title, facts, budgets, tuple(figures))


def _facts(fields: _Fields) -> DeviceFacts:
    facts = DeviceFacts(
        cores=fields.whole("cores", "cores", 1024),
        clock_hz=fields.quantity("clock", {"MHz": 1e6, "GHz": 1e9}, 1e6, 1e11),
        isa=fields.word("isa"),
        dot_product=fields.flag("dot_product"),
        memory_bytes=int(fields.quantity("memory", _BYTES, 2.0**20, 16 * _TIB)),
        memory_read=fields.quantity("memory_read", _BYTES_PER_SECOND, 1e6, 1e13),
        storage_random_read=fields.quantity("storage_random_read", _SECONDS, 1e-7, 10),
        storage_sequential_read=fields.quantity(
            "storage_sequential_read", _BYTES_PER_SECOND, 1e5, 1e12
        ),
        core_speed=fields.quantity("core_speed", {"x": 1.0}, 0.001, 100),
        backends=fields.backends(),
    )
    fields.done()
    return facts


def _budgets(fields: _Fields) -> Budgets:
    budgets = Budgets(
        memory_bytes=int(fields.quantity("memory", _BYTES, 2.0**20, 16 * _TIB)),
        storage_bytes=int(fields.quantity("storage", _BYTES, 2.0**20, 1024 * _TIB)),
        query_latency=fields.quantity("query_latency", _SECONDS, 1e-6, 600),
        quality_kept=fields.quantity("quality_kept", {"fraction": 1.0}, 0, 1),
    )
    fields.done()
    return budgets


class _Fields:
    """The fields of one section. Each is read with its unit and source, and noted as a `Figure`."""

    def __init__(self, table: Table, section: str, figures: list[Figure]) -> None:
        self._table, self._section, self._figures = table, section, figures
        self._known: list[str] = []

    def done(self) -> None:
        """Refuse fields that nobody asked for."""
        self._table.only(*self._known)

    def quantity(self, key: str, units: Mapping[str, float], low: float, high: float) -> float:
        """A number in one of `units` (unit -> how much of the base unit); low..high in the base
        unit."""
        field, value = self._number(key, units)
        result = value * units[field.text("unit")]
        if not low <= result <= high:
            first, factor = next(iter(units.items()))
            field.fail(
                f"the value {value:g} {field.text('unit')} is out of range; it must be from "
                f"{low / factor:g} to {high / factor:g} {first}"
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

    def backends(self) -> tuple[VariantFormat, ...]:
        """The formats that have an engine, in the order of `VariantFormat`."""
        known: tuple[VariantFormat, ...] = get_args(VariantFormat)
        field = self._field("backends", "value", "source", "estimate")
        values = field.texts("value")
        unknown = [value for value in values if value not in known]
        if unknown or not values or len(set(values)) != len(values):
            field.fail(f"the value must name each backend once, out of {', '.join(known)}")
        self._note("backends", field, ", ".join(values), "")
        return tuple(backend for backend in known if backend in values)

    def _number(self, key: str, units: Mapping[str, float]) -> tuple[Table, float]:
        field = self._field(key, "value", "unit", "source", "estimate")
        # The sign is checked with the unit, so that the message can give the range in that unit.
        value = field.number("value", -1e18, 1e18)
        unit = field.text("unit")
        if unit not in units:
            field.fail(f"the unit {unit!r} is unknown here; write {' or '.join(units)}")
        self._note(key, field, f"{value:g}", unit)
        return field, value

    def _field(self, key: str, *parts: str) -> Table:
        self._known.append(key)
        field = self._table.table(key)
        field.only(*parts)
        return field

    def _note(self, key: str, field: Table, value: str, unit: str) -> None:
        source = field.text("source", max_length=MAX_SOURCE_LENGTH)
        if not source.strip():
            field.fail("the source is empty: say where the value comes from")
        estimate = "estimate" in field and field.flag("estimate")
        self._figures.append(Figure(f"{self._section}.{key}", value, unit, source, estimate))
