"""Which engines are installed, found out without importing any; and their import."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Sequence
from types import ModuleType

from edge_mrl.bundle.engines import ALL_ENGINES, ENGINES


def module_of(engine: str) -> str:
    """The import name of an engine, which pip knows by another one."""
    return engine.replace("-", "_")


def is_installed(engine: str) -> bool:
    """Whether an engine can be imported here."""
    return importlib.util.find_spec(module_of(engine)) is not None


def first_installed(engines: Sequence[str]) -> str | None:
    """The first engine that can be imported here."""
    return next((engine for engine in engines if is_installed(engine)), None)


def installed_engines() -> tuple[str, ...]:
    """Every engine that can be imported here, as pip names them."""
    return tuple(engine for engine in ALL_ENGINES if is_installed(engine))


def imported(engine: str) -> ModuleType:
    """Import the part of an engine that runs models.

    Raises:
        ImportError: it is not installed, or not for this machine.
    """
    name = module_of(engine)
    if engine == "onnxruntime":
        # From 1.32 on a session writes telemetry below the user's cache directory unless this was
        # set before.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    elif engine in ENGINES["tflite"]:
        name += ".interpreter"
    return importlib.import_module(name)
