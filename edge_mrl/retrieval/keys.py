"""A key of a filter as steps into a JSON object. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from edge_mrl.errors import InputError

MAX_STEPS = 16
_PART = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|([^."\[\]]+))((?:\[\])*)(\.|$)')
_PLAIN = re.compile(r"[A-Za-z0-9_ -]+")


class Step(NamedTuple):
    """One step: into the value of `name`, or, where that is None, into each element of a list."""

    name: str | None

    @property
    def plain(self) -> bool:
        """Whether the name can stand in a JSON path as every SQLite reads it."""
        return self.name is not None and _PLAIN.fullmatch(self.name) is not None


def check_key(key: object, where: str = "group_by") -> str:
    """A key that is a text.

    Raises:
        InputError: it is none.
    """
    if not isinstance(key, str):
        raise InputError(f"{where} must be a metadata key, not {key!r}")
    return key


def parse_key(key: str, where: str) -> tuple[Step, ...]:
    """Split a key.

    Args:
        key: ``author.name``, ``authors[].name``, ``"a.b".c``.
        where: the path of the key in the filter, for the message.

    Raises:
        InputError: it has an empty part, an open quote, or too many steps.
    """
    steps: list[Step] = []
    place = 0
    open_end = True
    while open_end:
        found = _PART.match(key, place)
        if found is None:
            raise InputError(
                f"{where}: the key {key[:100]!r} cannot be read: write names with dots between, "
                "[] for each element of a list, and names with dots or brackets in double quotes"
            )
        quoted, bare, each, end = found.groups()
        steps.append(Step(bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)))
        steps += [Step(None)] * (len(each) // 2)
        place, open_end = found.end(), end == "."
        if len(steps) > MAX_STEPS:
            raise InputError(f"{where}: the key {key[:100]!r} has more than {MAX_STEPS} steps")
    return tuple(steps)
