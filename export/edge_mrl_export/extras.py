"""Importing what an extra brings, with a sentence that names the pip command where it is
missing."""

from __future__ import annotations

import importlib.util

from edge_mrl.errors import ExportError


def require(*modules: str, extra: str = "export") -> None:
    """Check that modules can be imported; they are not imported yet.

    Raises:
        ExportError: one is missing.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ExportError(f"this export needs {module}: run `pip install 'edge-mrl[{extra}]'`")
