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
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_mrl import kernel
from edge_mrl.backends import BACKENDS
from edge_mrl.bundle import Bundle
from edge_mrl.bundle.manifest import VariantFormat
from edge_mrl.index.connection import OLDEST_SQLITE
from edge_mrl.planning.this_machine import available_memory, read_machine
from edge_mrl.planning.words import mebibytes
from edge_mrl.version import __version__

TRIAL_SECONDS = 120
"""Longer than a small board needs to load the largest engine from a slow card."""

EARLIEST_YEAR = 2024
"""A clock before it was never set: boards without a battery start in 1970."""

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


def examine(bundle: Path | None = None) -> tuple[Finding, ...]:
    """Look at everything.

    Args:
        bundle: a bundle whose variants are to be tried too.

    Raises:
        BundleError: there is no such bundle.
    """
    findings = [
        _system(),
        Finding("python", None, f"{platform.python_version()}, numpy {np.__version__}"),
        Finding("kernel", None, f"{kernel.info().name}: {kernel.info().detail}"),
        _sqlite(),
        *_room(),
        _clock(),
        *(_engine(format_) for format_ in BACKENDS),
    ]
    if bundle is not None:
        findings += _variants(bundle)
    return tuple(findings)


def _system() -> Finding:
    machine = read_machine()
    name = machine.model or platform.platform()
    memory = mebibytes(machine.memory_bytes)
    detail = f"{name}, {platform.machine()}, {machine.cores} cores, {memory}"
    return Finding("machine", None, f"{detail}; edge-mrl {__version__}")


def _sqlite() -> Finding:
    connection = sqlite3.connect(":memory:")
    try:
        options = {row[0] for row in connection.execute("PRAGMA compile_options")}
    finally:
        connection.close()
    full_text = "with" if "ENABLE_FTS5" in options else "without"
    ok = sqlite3.sqlite_version_info >= OLDEST_SQLITE
    oldest = ".".join(map(str, OLDEST_SQLITE[:2]))
    advice = "" if ok else f"use a Python whose SQLite is {oldest} or newer"
    return Finding("sqlite", ok, f"{sqlite3.sqlite_version}, {full_text} full-text search", advice)


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
        return Finding(name, None, f"{missing} not installed", f"`{entry.install}` brings it")
    statement = (
        "import sys; from edge_mrl.backends import BACKENDS; print(BACKENDS[sys.argv[1]].load())"
    )
    return _tried(name, f"reinstall it for this processor: `{entry.install}`", statement, format_)


def _variants(path: Path) -> list[Finding]:
    bundle = Bundle.open(path)
    bundle.check_all()
    statement = (
        "import sys; from edge_mrl import Encoder; "
        "encoder = Encoder.load(sys.argv[1], variant=sys.argv[2], self_test=False); "
        "print(f'golden texts at cosine {encoder.verify():.5f}')"
    )
    return [
        _tried(f"variant {one.name}", "choose another", statement, str(path), one.name)
        for one in bundle.manifest.variants
    ]


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
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    detail = lines[-1] if lines else "no answer"
    return Finding(name, done.returncode == 0, detail, "" if done.returncode == 0 else advice)
