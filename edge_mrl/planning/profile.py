"""Device profiles: what a device is, and what it may spend on search. Pure parsing.

docs/device-profiles.md is the specification. A profile is refused as a whole if any field is wrong,
so code that holds a `DeviceProfile` may rely on every range and relation checked here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_mrl.bundle.manifest import VariantFormat
from edge_mrl.errors import ProfileError
from edge_mrl.planning.fields import Fields, Figure
from edge_mrl.planning.sheets import Lookup, open_chain

_BYTES = {"MiB": 2.0**20, "GiB": 2.0**30}
_BYTES_PER_SECOND = {"MB/s": 1e6, "GB/s": 1e9}
_SECONDS = {"us": 1e-6, "ms": 1e-3}
_TIB = 2.0**40


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
    """A device's facts and budgets, and every figure with its source.

    `extends` is the name of the profile from which the fields come that its file does not give, and
    `place` the file itself, empty where the profile was made in code.
    """

    name: str
    title: str
    facts: DeviceFacts
    budgets: Budgets
    figures: tuple[Figure, ...]
    extends: str | None = None
    place: str = field(default="", compare=False)


def parse_profile(text: str, where: str, lookup: Lookup | None = None) -> DeviceProfile:
    """Read a profile.

    Args:
        text: the TOML document.
        where: how messages name it, usually the file.
        lookup: finds the profile that this one extends; without it a profile that extends another
            is refused.

    Raises:
        ProfileError: not TOML, of a newer schema, a field is missing, unknown, mistyped, out of
            range, or in conflict with another, or what it extends cannot be used.
    """
    chain = open_chain(text, where, lookup or _no_lookup)
    own = chain[0]
    figures: list[Figure] = []
    facts = _facts(Fields(chain, "facts", figures))
    budgets = _budgets(Fields(chain, "budgets", figures))
    if budgets.memory_bytes > facts.memory_bytes:
        own.root.fail(
            "budgets.memory is more than facts.memory: a process cannot use what is not there"
        )
    return DeviceProfile(
        own.name, own.title, facts, budgets, tuple(figures), extends=own.extends, place=where
    )


def _no_lookup(name: str) -> tuple[str, str]:
    raise ProfileError(f"{name!r} cannot be looked up here: read the profile from its file")


def _facts(fields: Fields) -> DeviceFacts:
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


def _budgets(fields: Fields) -> Budgets:
    budgets = Budgets(
        memory_bytes=int(fields.quantity("memory", _BYTES, 2.0**20, 16 * _TIB)),
        storage_bytes=int(fields.quantity("storage", _BYTES, 2.0**20, 1024 * _TIB)),
        query_latency=fields.quantity("query_latency", _SECONDS, 1e-6, 600),
        quality_kept=fields.quantity("quality_kept", {"fraction": 1.0}, 0, 1),
    )
    fields.done()
    return budgets
