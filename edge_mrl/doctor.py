"""What this device can run, tried for real. Whatever may crash is tried in a process of its own.

An engine built for another processor dies of an illegal instruction when it is imported, and takes
the whole program with it; a child process turns that into advice.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_mrl.backends import BACKENDS, BackendEntry, available
from edge_mrl.bundle import Bundle
from edge_mrl.bundle.engines import engines_for
from edge_mrl.bundle.manifest import Variant, VariantFormat
from edge_mrl.index.storage.connection import OLDEST_SQLITE
from edge_mrl.planning.words import mebibytes
from edge_mrl.profiles.this_machine import available_memory, read_machine
from edge_mrl.profiles.wheels import why_no_wheel
from edge_mrl.version import __version__

TRIAL_SECONDS = 120
"""Longer than a small board needs to load the largest engine from a slow card."""

EARLIEST_YEAR = 2024
"""A clock before it was never set: boards without a battery start in 1970."""

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "TOKENIZERS_PARALLELISM",
)

LOW_MEMORY = 64 * 2**20
LOW_DISK = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what.
        ok: whether it is as it should be; None where it is only worth knowing.
        detail: what was found.
        advice: what to do, empty where nothing needs to be done.
    """

    name: str
    ok: bool | None
    detail: str
    advice: str = ""


def examine(bundle: Path | None = None) -> Iterator[Finding]:
    """Look at everything, one thing after the other: an engine may take seconds to answer.

    Args:
        bundle: a bundle whose variants are to be tried too.

    Raises:
        BundleError: there is no such bundle, or a file of it is damaged.
    """
    if bundle is None:
        return _findings(None)
    opened = Bundle.open(bundle)
    opened.check_all()
    return _findings(opened)


def _findings(bundle: Bundle | None) -> Iterator[Finding]:
    yield _system()
    yield Finding("python", None, f"{platform.python_version()}, numpy {np.__version__}")
    yield _kernel()
    yield _sqlite()
    yield _threads()
    yield from _room()
    yield _clock()
    yield from map(_engine, BACKENDS)
    if bundle is not None:
        yield from _variants(bundle)


def _system() -> Finding:
    machine = read_machine()
    name = machine.model or platform.platform()
    memory = mebibytes(machine.memory_bytes)
    detail = f"{name}, {platform.machine()}, {machine.cores} cores, {memory}"
    return Finding("machine", None, f"{detail}; edge-mrl {__version__}")


def _kernel() -> Finding:
    """The scan that would run, tried on a few rows against the definition in numpy."""
    advice = "set EDGE_MRL_KERNEL=numpy, which gives the same hits later"
    return _tried("kernel", advice, _TRY_KERNEL)


_TRY_KERNEL = """
import numpy as np
from edge_mrl import kernel
generator = np.random.default_rng(0)
for bits in (1, 2, 4, 8):
    packed = generator.integers(0, 256, (200, 32 * bits // 8 * 8), dtype=np.uint8)
    block = kernel.CodeBlock(kernel.pack(packed, bits), np.full(200, 1000, dtype=np.uint16))
    query = generator.standard_normal(packed.shape[1] * 8 // bits).astype(np.float32)
    found = [one.scan(one.prepare(query, bits), kernel.BlockList.of([block]), 50).positions.tolist()
             for one in (kernel.current(), kernel.available()["numpy"])]
    assert found[0] == found[1], f"it answers otherwise than numpy at {bits} bits"
print(f"{kernel.info().name}: {kernel.info().detail}")
"""


def _sqlite() -> Finding:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE tried USING fts5 (text)")
        full_text = True
    except sqlite3.OperationalError:
        full_text = False
    finally:
        connection.close()
    recent = sqlite3.sqlite_version_info >= OLDEST_SQLITE
    oldest = ".".join(map(str, OLDEST_SQLITE[:2]))
    advice = ""
    if not recent:
        advice = f"use a Python whose SQLite is {oldest} or newer"
    elif not full_text:
        advice = "search by words needs FTS5: use the Python of your distribution, which has it"
    detail = f"{sqlite3.sqlite_version}, {'with' if full_text else 'without'} full-text search"
    return Finding("sqlite", recent and full_text, detail, advice)


def _threads() -> Finding:
    """How many threads numpy and the tokenizer would take of their own accord."""
    cores = read_machine().cores
    set_here = [f"{name}={os.environ[name]}" for name in _THREAD_VARIABLES if name in os.environ]
    detail = f"{cores} of {os.cpu_count() or cores} cores for this process; " + (
        ", ".join(set_here) or "no variable limits threads"
    )
    asked = [os.environ.get(name, "") for name in _THREAD_VARIABLES]
    most = max((int(value) for value in asked if value.isdigit()), default=0)
    if most > cores:
        return Finding("threads", False, detail, f"ask for at most {cores}, as more only wait")
    return Finding("threads", None, detail)


def _room() -> list[Finding]:
    disk = shutil.disk_usage(Path.cwd()).free
    findings = [
        Finding(
            "disk",
            disk >= LOW_DISK,
            f"{mebibytes(disk)} free here",
            "" if disk >= LOW_DISK else "free some space before an index is built",
        )
    ]
    free = available_memory()
    if free is not None:
        enough = free >= LOW_MEMORY
        advice = "" if enough else "stop other programs, or plan for a smaller slice"
        findings.insert(0, Finding("memory", enough, f"{mebibytes(free)} available", advice))
    return findings


def _clock() -> Finding:
    year = time.gmtime().tm_year
    ok = year >= EARLIEST_YEAR
    advice = "" if ok else "set the clock: downloads and certificates fail without"
    return Finding("clock", ok, time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), advice)


def _engine(format_: VariantFormat) -> Finding:
    entry = BACKENDS[format_]
    name = f"engine {format_}"
    if format_ == "table":
        return Finding(name, True, "numpy alone")
    if not entry.installed:
        missing = " or ".join(entry.engines)
        return Finding(name, None, f"{missing} not installed", _how_to_install(entry))
    statement = (
        "import sys; from edge_mrl.backends import BACKENDS; print(BACKENDS[sys.argv[1]].load())"
    )
    return _tried(name, f"reinstall it for this processor: `{entry.install}`", statement, format_)


def _how_to_install(entry: BackendEntry) -> str:
    """The pip command, or why there is no wheel to install here."""
    machine = read_machine()
    built_for = platform.machine() if machine.bits == 64 else "armv7l"
    reasons = [
        why_no_wheel(engine, built_for, machine.libc, machine.python) for engine in entry.engines
    ]
    if None in reasons:
        return f"`{entry.install}` brings it"
    return "; ".join(reason for reason in reasons if reason)


def _variants(bundle: Bundle) -> Iterator[Finding]:
    variants = bundle.manifest.variants
    nothing_runs = not any(map(available, variants))
    return (_variant(bundle.path, one, needed=nothing_runs) for one in variants)


_TRY_VARIANT = """
import sys
from edge_mrl import EdgeMrlError, Encoder
try:
    encoder = Encoder.load(sys.argv[1], variant=sys.argv[2], self_test=False)
    print(f"golden texts at cosine {encoder.verify():.5f}")
except EdgeMrlError as error:
    print(error)
    sys.exit(3)
"""
_SAYS_ITSELF = 3
"""Exit status of a child whose last line says what to do, too."""


def _variant(bundle: Path, variant: Variant, *, needed: bool) -> Finding:
    """One variant, tried where an engine for it is installed.

    Args:
        bundle: the folder.
        variant: one of its variants.
        needed: whether it is wrong that no engine is there, as none of the bundle's variants runs.
    """
    name = f"variant {variant.name}"
    if not available(variant):
        return Finding(
            name, False if needed else None, f"needs {' or '.join(engines_for(variant))}"
        )
    return _tried(name, "choose another", _TRY_VARIANT, str(bundle), variant.name)


def _tried(name: str, advice: str, statement: str, *arguments: str) -> Finding:
    """Run a statement in a child; its last line is the detail."""
    # Nothing it loads may write below the user's home.
    environment = os.environ | {"ORT_DISABLE_TELEMETRY": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", statement, *arguments],
            capture_output=True,
            text=True,
            timeout=TRIAL_SECONDS,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return Finding(name, False, f"no answer within {TRIAL_SECONDS} s", advice)
    if done.returncode < 0:
        cause = signal.strsignal(-done.returncode) or f"signal {-done.returncode}"
        return Finding(name, False, f"the process died: {cause}", advice)
    if done.returncode == _SAYS_ITSELF:
        advice = ""
    said = done.stdout if done.returncode in (0, _SAYS_ITSELF) else done.stderr
    lines = said.strip().splitlines()
    detail = lines[-1] if lines else "no answer"
    return Finding(name, done.returncode == 0, detail, "" if done.returncode == 0 else advice)
