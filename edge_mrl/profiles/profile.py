"""Device profiles: what a device is, and what it may spend on search. Pure parsing.

docs/device-profiles.md is the specification. A profile is refused as a whole if any field is wrong,
so code that holds a `DeviceProfile` may rely on every range and relation checked here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from edge_mrl.bundle.engines import ALL_ENGINES
from edge_mrl.errors import ProfileError
from edge_mrl.profiles.encoder_times import EncoderTimes, encoder_times
from edge_mrl.profiles.fields import Fields, Figure
from edge_mrl.profiles.sheets import Lookup, Sheet, open_chain

_BYTES = {"MiB": 2.0**20, "GiB": 2.0**30}
_BYTES_PER_SECOND = {"MB/s": 1e6, "GB/s": 1e9}
_SECONDS = {"us": 1e-6, "ms": 1e-3}
_TIB = 2.0**40

LEAST_STORAGE = 2 * 2**20
"""Less than the smallest static table with its tokenizer."""

PYTHON = r"none|3\.[0-9]{1,2}"
LIBC = r"none|bionic|(glibc|musl) [0-9]{1,2}\.[0-9]{1,2}"


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
        core_speed: speed of one core, relative to the reference machine of `search_cost`.
        scan_speed: the same for the compiled scan alone, whose vector instructions differ more from
            core to core; as `core_speed` where a profile does not give it.
        search_base: seconds of a search besides scan and rereading; None where nobody measured.
        row_read: seconds for rereading a row of 256x8 whose page is cached; likewise.
        row_held: the same where the row is in memory; likewise.
        engines: packages that there are for this device, as pip names them.
        python: version of Python, e.g. ``"3.11"``; ``"none"`` where the application brings it.
        libc: C library and version, e.g. ``"glibc 2.36"``, which decides the wheels.
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
    scan_speed: float
    engines: tuple[str, ...]
    python: str
    libc: str
    search_base: float | None = None
    row_read: float | None = None
    row_held: float | None = None

    def runs(self, engines: Collection[str]) -> bool:
        """Whether one of these engines is there for the device."""
        return not set(self.engines).isdisjoint(engines)


@dataclass(frozen=True, slots=True)
class Budgets:
    """What search may cost on the device.

    Attributes:
        memory_bytes: resident memory of the whole process.
        storage_bytes: bundle and index file together.
        query_latency: seconds for searching, without the encoder, 95th percentile.
        embedding_latency: seconds for embedding a query of `encoder_cost.QUERY_TOKENS` tokens.
        quality_kept: least share of the full fp32 vector's nDCG@10 that is acceptable.
    """

    memory_bytes: int
    storage_bytes: int
    query_latency: float
    embedding_latency: float
    quality_kept: float


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """A device's facts and budgets, and every figure with its source.

    `encoders` are what `edge-mrl calibrate` measured of models on the device,
    `extends` is the name of the profile from which the fields come that its file does not give, and
    `place` the file itself, empty where the profile was made in code.
    """

    name: str
    title: str
    facts: DeviceFacts
    budgets: Budgets
    figures: tuple[Figure, ...]
    encoders: tuple[EncoderTimes, ...] = ()
    extends: str | None = None
    place: str = field(default="", compare=False)

    def at_any_quality(self) -> DeviceProfile:
        """The same without a floor for quality, for whoever has chosen the slice already."""
        return replace(self, budgets=replace(self.budgets, quality_kept=0.0))


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
    _check_budgets(own, facts, budgets)
    return DeviceProfile(
        own.name,
        own.title,
        facts,
        budgets,
        tuple(figures),
        encoders=encoder_times(chain),
        extends=own.extends,
        place=where,
    )


def _check_budgets(own: Sheet, facts: DeviceFacts, budgets: Budgets) -> None:
    """Refuse budgets that contradict the facts or one another."""
    if budgets.memory_bytes > facts.memory_bytes:
        own.fail_at(
            "budgets",
            "memory",
            "budgets.memory is more than facts.memory: a process cannot use what is not there",
        )
    if budgets.query_latency <= facts.storage_random_read:
        own.fail_at(
            "budgets",
            "query_latency",
            "budgets.query_latency is not above facts.storage_random_read: not one row could be "
            "read in time",
        )
    if budgets.storage_bytes < LEAST_STORAGE:
        own.fail_at(
            "budgets",
            "storage",
            f"budgets.storage is below {LEAST_STORAGE // 2**20} MiB: no bundle and index fit there",
        )


def _no_lookup(name: str) -> tuple[str, str]:
    raise ProfileError(f"{name!r} cannot be looked up here: read the profile from its file")


def _facts(fields: Fields) -> DeviceFacts:
    core_speed = fields.quantity("core_speed", {"x": 1.0}, 0.001, 100)
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
        core_speed=core_speed,
        scan_speed=(
            fields.quantity("scan_speed", {"x": 1.0}, 0.001, 100)
            if fields.has("scan_speed")
            else core_speed
        ),
        engines=fields.choices("engines", ALL_ENGINES),
        python=fields.pattern("python", PYTHON, '"none" or a version such as "3.11"'),
        libc=fields.pattern("libc", LIBC, '"glibc 2.36", "musl 1.2", "bionic" or "none"'),
        **{
            key: fields.quantity(key, _SECONDS, 1e-9, 10) if fields.has(key) else None
            for key in ("search_base", "row_read", "row_held")
        },
    )
    fields.done()
    return facts


def _budgets(fields: Fields) -> Budgets:
    budgets = Budgets(
        memory_bytes=int(fields.quantity("memory", _BYTES, 2.0**20, 16 * _TIB)),
        storage_bytes=int(fields.quantity("storage", _BYTES, 2.0**20, 1024 * _TIB)),
        query_latency=fields.quantity("query_latency", _SECONDS, 1e-6, 600),
        embedding_latency=fields.quantity("embedding_latency", _SECONDS, 1e-6, 600),
        quality_kept=fields.quantity("quality_kept", {"fraction": 1.0}, 0, 1),
    )
    fields.done()
    return budgets
