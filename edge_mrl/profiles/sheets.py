"""Profile files as they stand, one `Sheet` each, and the chain of those that a profile extends.
Pure: whoever reads files hands in their text."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from edge_mrl.errors import ProfileError
from edge_mrl.schema import Table

SCHEMA_VERSION = 1
MAX_NAME_LENGTH = 60
MAX_TITLE_LENGTH = 100

MAX_CHAIN = 5
"""Profiles in a chain at most. A board, its memory size, its system and one's own change to it are
four."""

AUTO = "auto"
"""The name that stands for the profile of this machine; no profile may bear it."""

_TRIED_LINES = 50
"""Lines that mention a key, tried as its place. Every field of a profile has a `value`."""

Lookup = Callable[[str], tuple[str, str]]
"""A profile's name -> its file's text, and what to call the file.

Raises `ProfileError` where there is none."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One profile file: its own fields, without those that it takes over from another.

    Attributes:
        name: the profile's name.
        title: its title.
        extends: the name of the profile whose fields hold where this one gives none, or None.
        root: the whole document.
    """

    name: str
    title: str
    extends: str | None
    root: Table

    def fail_at(self, section: str, key: str, message: str) -> NoReturn:
        """Refuse the profile, with the line of a field where this file gives it itself."""
        if section in self.root and key in self.root.table(section):
            line = self.root.line_at(section, key)
            message += "" if line is None else f" (line {line})"
        self.root.fail(message)


def open_chain(text: str, where: str, lookup: Lookup) -> tuple[Sheet, ...]:
    """Read a profile file and all that it extends, itself first.

    Args:
        text: the TOML document.
        where: how messages name it, usually the file.
        lookup: finds the profiles that it extends.

    Raises:
        ProfileError: a file is not TOML or of a newer schema, its head is wrong, it extends an
            unknown profile or in the end itself, or the chain is too long.
    """
    sheets = [_open(text, where)]
    while (base := sheets[-1].extends) is not None:
        last = sheets[-1].root
        names = [sheet.name for sheet in sheets]
        if base in names:
            route = " -> ".join([*names, base])
            last.fail(f"the field 'extends' leads back to {base} ({route})", "extends")
        if len(sheets) == MAX_CHAIN:
            last.fail(
                f"the field 'extends' makes a chain of more than {MAX_CHAIN} profiles: "
                "extend one nearer to the base",
                "extends",
            )
        try:
            found = lookup(base)
        except ProfileError as error:
            last.fail(f"extends: {error}", "extends")
        sheets.append(_open(*found))
    return tuple(sheets)


def _open(text: str, where: str) -> Sheet:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ProfileError(f"{where} is not valid TOML: {error}") from error
    root = Table(document, where, ProfileError, locate=lambda path: line_of(text, path))
    root.only("schema", "name", "title", "extends", "facts", "budgets", "encoders")
    version = root.integer("schema", 1, 10**6)
    if version > SCHEMA_VERSION:
        root.fail(
            f"schema {version} is newer than this edge-mrl reads ({SCHEMA_VERSION}): upgrade",
            "schema",
        )
    name = root.text("name", max_length=MAX_NAME_LENGTH)
    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) is None:
        root.fail(
            f"the name {name!r} must be small letters and digits joined by single hyphens", "name"
        )
    if name == AUTO:
        root.fail(f"the name {AUTO!r} stands for this machine: choose another", "name")
    title = root.text("title", max_length=MAX_TITLE_LENGTH)
    extends = root.text("extends", max_length=MAX_NAME_LENGTH) if "extends" in root else None
    return Sheet(name, title, extends, root)


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The line of a TOML document on which a value is given, counted from 1.

    tomllib keeps no places. But the value is there once the document is cut off behind its line,
    and not before: so that is tried for each line that mentions the key.

    Args:
        text: a valid TOML document.
        path: the keys that lead to the value; in a list its place, counted from 0.

    Returns:
        The line on which the value ends; None where it is not found.
    """
    lines = text.splitlines(keepends=True)
    mentions = [number for number, line in enumerate(lines, 1) if path[-1] in line]
    for number in mentions[:_TRIED_LINES]:
        try:
            value: object = tomllib.loads("".join(lines[:number]))
        except tomllib.TOMLDecodeError:
            continue
        for key in path:
            if isinstance(value, list):
                value = value[int(key)] if int(key) < len(value) else None
            else:
                value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            return number
    return None
