"""Importing what an extra brings, with a sentence that names the pip command where it is
missing."""

from __future__ import annotations

import importlib.util

from edge_mrl.errors import ExportError


def installed(*modules: str) -> bool:
    """Whether all of these can be imported; they are not imported."""
    return all(importlib.util.find_spec(module) is not None for module in modules)


def require(*modules: str, extra: str = "export", what: str = "model", where: str = "") -> None:
    """Check that modules can be imported; they are not imported yet.

    Args:
        modules: their import names.
        extra: the extra that brings them.
        what: what needs them, to stand after "this".
        where: on which machines the extra brings them, if not on all.

    Raises:
        ExportError: one is missing.
    """
    for module in modules:
        if not installed(module):
            raise ExportError(
                f"this {what} needs {module}: run `pip install 'edge-mrl[{extra}]'`{where}"
            )
