"""Which engines are installed. Nothing is imported to find out."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from edge_mrl.bundle.engines import ALL_ENGINES


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
