"""Strict reading of JSON and of parsed TOML: each value is fetched with the type and range it must
have.

One reader serves bundle manifests and device profiles, so that every wrong field is reported in the
same way: where it stands, what was found, what is expected. `whole_number` does it for what a
program hands in. Nothing here touches a file."""

from __future__ import annotations

import json
import operator
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from edge_mrl.errors import EdgeMrlError, InputError

Locate = Callable[[tuple[str, ...]], int | None]
"""The keys that lead to a value -> the line on which it stands; None where nobody can tell."""

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Controls other than tab and line ends, which would move a terminal's cursor or colour its text,
and halves of characters, which nothing can print."""

_LONGEST_MESSAGE = 1000
_LARGEST = sys.float_info.max


def load_json(text: str | bytes) -> object:
    """The values in a text, as `json.loads` gives them; what is wrong with it is said of the text,
    not of Python.

    Args:
        text: UTF-8, UTF-16 or UTF-32 where it is bytes.

    Raises:
        ValueError: it is not JSON, which NaN and infinities are not; it is nested too deeply, or
            holds a number of more digits than Python reads.
    """
    try:
        found: object = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (json.JSONDecodeError, UnicodeDecodeError, _NoNumberError):
        raise
    except ValueError:
        raise ValueError("a number in it has too many digits") from None
    return found


class _NoNumberError(ValueError):
    pass


def _refuse_constant(name: str) -> NoReturn:
    raise _NoNumberError(f"{name} is no JSON number")


def whole_number(value: Any) -> int | None:
    """A whole number of any type, numpy's too, as an int; None for everything else, and for truth
    values."""
    # numpy before 1.25 takes its truth values for numbers.
    if isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b":
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def one_or_more(value: object, name: str) -> int:
    """A whole number of 1 or more, as `whole_number` reads it.

    Raises:
        InputError: it is none; says its name.
    """
    number = whole_number(value)
    if number is None or number < 1:
        raise InputError(f"{name} must be a whole number of 1 or more, not {value!r}")
    return number


class Table:
    """A mapping that came from outside, read field by field.

    Args:
        data: the parsed value; anything but a mapping with string keys is refused.
        where: how a message names this place, e.g. ``"manifest.json: variants[2]"``.
        error: the class of error to raise.
        locate: finds the line of a value, asked only for a message.
        path: the keys that lead here from the top of the document, for `locate`.
    """

    def __init__(
        self,
        data: object,
        where: str,
        error: type[EdgeMrlError],
        *,
        locate: Locate | None = None,
        path: tuple[str, ...] = (),
    ) -> None:
        self._where = where
        self._error = error
        self._locate = locate
        self._path = path
        if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
            line = self._line()
            raise error(f"{where} must be a table of named fields, not {_describe(data)}{line}")
        for key in data:
            if _UNPRINTABLE.search(key):
                raise error(f"{where}: the field {key!r} has control characters in its name")
        self._data: Mapping[str, object] = data

    def fail(self, message: str, key: str | None = None) -> NoReturn:
        """Raise this table's error, for the table as a whole or for one field of it. Of a message
        that repeats a long value the middle is left out."""
        if len(message) > _LONGEST_MESSAGE:
            half = _LONGEST_MESSAGE // 2
            message = f"{message[:half]} [...] {message[-half:]}"
        raise self._error(f"{self._where}: {message}{self._line(key)}")

    def line_at(self, *path: str) -> int | None:
        """The line of a value inside this table, counted from 1; None where nobody can tell."""
        return None if self._locate is None else self._locate((*self._path, *path))

    def _line(self, key: str | None = None) -> str:
        """Where the field stands, or else this table: ``" (line 12)"``; empty if unknown."""
        if self._locate is None:
            return ""
        line = None if key is None else self._locate((*self._path, key))
        line = line or (self._locate(self._path) if self._path else None)
        return "" if line is None else f" (line {line})"

    def _bad(self, key: str, expected: str) -> NoReturn:
        if key not in self._data:
            self.fail(f"the field {key!r} is missing; it must be {expected}")
        found = _describe(self._data[key])
        self.fail(f"the field {key!r} must be {expected}, not {found}", key)

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def only(self, *known: str) -> None:
        """Refuse fields that are not in `known`."""
        unknown = sorted(set(self._data) - set(known))
        if unknown:
            names = ", ".join(known)
            self.fail(f"unknown field {unknown[0]!r}; known fields are {names}", unknown[0])

    def get(self, key: str) -> object:
        """The value as it was parsed, for checks that no method here makes; None where absent."""
        return self._data.get(key)

    def text(self, key: str, *, max_length: int = 10_000) -> str:
        """A string of at most `max_length` characters."""
        value = self._data.get(key)
        if not isinstance(value, str) or len(value) > max_length:
            self._bad(key, f"text of at most {max_length} characters")
        return self._printable(key, value)

    def _printable(self, key: str, value: str) -> str:
        found = _UNPRINTABLE.search(value)
        if found is not None:
            self.fail(f"the field {key!r} holds the control character {found[0]!r}", key)
        return value

    def optional_text(self, key: str) -> str | None:
        """A string, or None where the field is absent or null."""
        return None if self._data.get(key) is None else self.text(key)

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self._data.get(key)
        if not isinstance(value, bool):
            self._bad(key, "true or false")
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        """A whole number in low..high."""
        value = self._data.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self._bad(key, f"a whole number from {low} to {high}")
        return value

    def optional_integer(self, key: str, low: int, high: int) -> int | None:
        """A whole number in low..high, or None where the field is absent or null."""
        return None if self._data.get(key) is None else self.integer(key, low, high)

    def number(self, key: str, low: float = -_LARGEST, high: float = _LARGEST) -> float:
        """A finite number in low..high."""
        value = self._data.get(key)
        bounded = (low, high) != (-_LARGEST, _LARGEST)
        wanted = f"a number from {low:g} to {high:g}" if bounded else "a number"
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self._bad(key, wanted)
        # Compared before it is made a float: a whole number may be larger than any of them.
        if not low <= value <= high:
            self._bad(key, wanted)
        return float(value)

    def optional_number(self, key: str, low: float, high: float) -> float | None:
        """A finite number in low..high, or None where the field is absent or null."""
        return None if self._data.get(key) is None else self.number(key, low, high)

    def integers(self, key: str, low: int, high: int) -> tuple[int, ...]:
        """A list of whole numbers, each in low..high."""
        value = self._data.get(key)
        if not isinstance(value, list) or not all(
            isinstance(item, int) and not isinstance(item, bool) and low <= item <= high
            for item in value
        ):
            self._bad(key, f"a list of whole numbers from {low} to {high}")
        return tuple(value)

    def numbers(self, key: str, low: float, high: float) -> tuple[float, ...]:
        """A list of numbers, each in low..high."""
        value = self._data.get(key)
        if not isinstance(value, list) or not all(
            isinstance(item, (int, float)) and not isinstance(item, bool) and low <= item <= high
            for item in value
        ):
            self._bad(key, f"a list of numbers from {low:g} to {high:g}")
        return tuple(float(item) for item in value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self._data.get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._bad(key, "a list of texts")
        return tuple(self._printable(key, item) for item in value)

    def table(self, key: str) -> Table:
        """A nested table."""
        if key not in self._data:
            self._bad(key, "a table of named fields")
        return Table(
            self._data[key],
            f"{self._where}: {key}",
            self._error,
            locate=self._locate,
            path=(*self._path, key),
        )

    def tables(self, key: str, *, max_items: int = 10_000) -> tuple[Table, ...]:
        """A list of nested tables."""
        value = self._data.get(key)
        if not isinstance(value, list) or len(value) > max_items:
            self._bad(key, f"a list of at most {max_items} tables")
        return tuple(
            Table(
                item,
                f"{self._where}: {key}[{number}]",
                self._error,
                locate=self._locate,
                path=(*self._path, key, f"{number}"),
            )
            for number, item in enumerate(value)
        )


def _describe(value: object) -> str:
    shown = repr(value)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    return shown
