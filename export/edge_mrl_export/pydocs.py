"""Real texts that every machine has: the documentation of its Python standard library.

Docstrings of Python modules are read from their source without running it; those of compiled
modules by importing them, which for the standard library's is harmless. The topics of `pydoc` come
along."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import sysconfig
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SKIPPED = frozenset({"antigravity", "idlelib", "lib2to3", "test", "this", "turtledemo", "__main__"})
"""Modules that print, draw or only test when touched; none documents the library."""

MAX_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class PyDoc:
    """One documented thing: its dotted name and its documentation."""

    name: str
    kind: str
    text: str


@cache
def standard_library_docs() -> tuple[PyDoc, ...]:
    """Every documented public module, class, function and method of the standard library, and
    pydoc's topics.

    Sorted by name, so that one Python installation always gives the same. Read once: parsing it
    all takes 2 seconds.
    """
    found: dict[str, PyDoc] = {}
    root = Path(sysconfig.get_path("stdlib"))
    for name in sorted(sys.stdlib_module_names):
        if name.startswith("_") or name in SKIPPED:
            continue
        docs = (
            _python_docs(root, name)
            if (root / name).is_dir() or (root / f"{name}.py").is_file()
            else _compiled(name)
        )
        for doc in docs:
            found.setdefault(doc.name, doc)
    for doc in _topics():
        found.setdefault(doc.name, doc)
    return tuple(found[name] for name in sorted(found))


def _doc(name: str, kind: str, text: str | None) -> Iterator[PyDoc]:
    if text and (clean := inspect.cleandoc(text).strip()):
        yield PyDoc(name, kind, clean[:MAX_CHARACTERS])


def _python_docs(root: Path, name: str) -> Iterator[PyDoc]:
    package = root / name
    files = sorted(package.rglob("*.py")) if package.is_dir() else [root / f"{name}.py"]
    for file in files:
        parts = file.relative_to(root).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if any(part.startswith("_") or part in ("test", "tests", "idle_test") for part in parts):
            continue
        yield from _parsed(".".join(parts), ast.parse(file.read_bytes()))


def _parsed(module: str, tree: ast.Module) -> Iterator[PyDoc]:
    yield from _doc(module, "module", ast.get_docstring(tree))
    for node in tree.body:
        if not isinstance(
            node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) or node.name.startswith("_"):
            continue
        kind = "class" if isinstance(node, ast.ClassDef) else "function"
        yield from _doc(f"{module}.{node.name}", kind, ast.get_docstring(node))
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(
                    member, ast.FunctionDef | ast.AsyncFunctionDef
                ) and not member.name.startswith("_"):
                    yield from _doc(
                        f"{module}.{node.name}.{member.name}", "method", ast.get_docstring(member)
                    )


def _compiled(name: str) -> Iterator[PyDoc]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old modules are documented too
        try:
            module = importlib.import_module(name)
        except ImportError:
            return  # compiled modules may be left out of a Python build
    yield from _doc(name, "module", module.__doc__)
    for key, value in sorted(vars(module).items()):
        if key.startswith("_"):
            continue
        if isinstance(value, type) and value.__module__ in (name, "builtins"):
            yield from _doc(f"{name}.{key}", "class", value.__doc__)
            for member, method in sorted(vars(value).items()):
                if not member.startswith("_") and callable(method):
                    yield from _doc(f"{name}.{key}.{member}", "method", method.__doc__)
        elif isinstance(value, types.BuiltinFunctionType):
            yield from _doc(f"{name}.{key}", "function", value.__doc__)


def _topics() -> Iterator[PyDoc]:
    try:
        topics = importlib.import_module("pydoc_data.topics").topics
    except ImportError:
        return  # some distributions package it apart
    for name, text in sorted(topics.items()):
        yield from _doc(f"topic {name}", "topic", text)
