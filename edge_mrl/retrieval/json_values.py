"""Values of parsed JSON, checked one by one; a fault is named by its path. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from edge_mrl.errors import EdgeMrlError, InputError

MAX_TEXT = 1_000_000

MAX_NUMBERS = 1_000_000


def check_text(value: object, where: str) -> str:
    """A text that is not empty and not too long.

    Raises:
        InputError: it is not; names the path.
    """
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        refuse(where, f"a text of 1 to {MAX_TEXT} characters", value)
    return value


def check_flag(value: object, where: str) -> bool:
    """True or false.

    Raises:
        InputError: it is not; names the path.
    """
    if not isinstance(value, bool):
        refuse(where, "true or false", value)
    return value


def check_number(value: object, where: str) -> float:
    """A finite number.

    Raises:
        InputError: it is not; names the path.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(where, "a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        refuse(where, "a finite number", value)
    return number


def check_list(value: object, where: str) -> list[Any]:
    """A list that is not too long.

    Raises:
        InputError: it is not; names the path.
    """
    if not isinstance(value, list) or len(value) > MAX_NUMBERS:
        refuse(where, f"a list of at most {MAX_NUMBERS} numbers", value)
    return value


def check_fields(value: object, where: str, known: tuple[str, ...]) -> Mapping[str, object]:
    """An object with known fields only.

    Raises:
        InputError: it is not; names the path.
    """
    names = f" with {', '.join(known)}" if known else " without fields"
    if not isinstance(value, Mapping):
        refuse(where or "a query", f"an object{names}", value)
    for name in value:
        if name not in known:
            raise InputError(
                f"{where or 'the query'} has the unknown field {str(name)[:60]!r}: give an object"
                f"{names}"
            )
    return value


def joined(where: str, name: str) -> str:
    """The path of a field."""
    return f"{where}.{name}" if where else name


@contextmanager
def at(where: str) -> Iterator[None]:
    """Put the path before an error of a value that does not know where it stands."""
    try:
        yield
    except EdgeMrlError as error:
        raise InputError(f"{where}: {error}") from error


def refuse(where: str, expected: str, found: object) -> NoReturn:
    """Say what stands at a path instead of what was expected.

    Raises:
        InputError: always.
    """
    shown = repr(found)
    raise InputError(
        f"{where} must be {expected}, not {shown if len(shown) <= 60 else shown[:57] + '...'}"
    )
