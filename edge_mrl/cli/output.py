"""How commands print: one JSON object for programs, an aligned table for people, progress on
standard error."""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")
"""All of C0 and C1 but the line end."""


def print_json(document: Mapping[str, object]) -> None:
    """Print one JSON object on standard output."""
    print(_as_json(document, indent=2))


def print_json_line(document: Mapping[str, object]) -> None:
    """Print one JSON object on a line of standard output."""
    print(_as_json(document))


def _as_json(document: Mapping[str, object], indent: int | None = None) -> str:
    """Letters as they are; escaped where they would steer a terminal, or where standard output
    cannot print one, such as half a surrogate pair in a document's metadata."""
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    # JSON itself escapes those below U+0020, and its line ends are none of the document's.
    text = _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(document, indent=indent)
    return text


def print_text(text: str = "", *, file: TextIO | None = None, flush: bool = False) -> None:
    """Print lines for people. Names and texts in them may come from anybody's file, so what would
    steer a terminal is replaced."""
    print(_CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text), file=file, flush=flush)


def print_left_out(error: Exception) -> None:
    """What is wrong with something that a command goes on without, on standard error."""
    print_text(f"edge-mrl: left out: {error}", file=sys.stderr)


def one_line(text: object) -> str:
    """What a document says, on one line."""
    return " ".join(str(text).split())


def format_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Sequence[int] = (0,),
    keys: int | None = None,
) -> str:
    """Lay out rows under a header.

    Args:
        header: the column names.
        rows: cells as text, as many per row as there are names.
        left: the columns set flush left; the others are numbers and go flush right.
        keys: so many first columns say what a row is about. A table that is wider than the terminal
            is then cut into tables below each other, each with these columns. None: it stays whole.
    """
    cells = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    parts = [list(range(len(header)))] if keys is None else _columns_that_fit(widths, keys)
    return "\n\n".join(_layout(cells, widths, part, left) for part in parts)


def _layout(
    cells: Sequence[Sequence[str]],
    widths: Sequence[int],
    columns: Sequence[int],
    left: Sequence[int],
) -> str:
    lines = []
    for row in cells:
        parts = [
            row[column].ljust(widths[column])
            if column in left
            else row[column].rjust(widths[column])
            for column in columns
        ]
        lines.append("  ".join(parts).rstrip())
    # A column without a name has no line under it either.
    rule = ["-" * widths[column] if cells[0][column] else "" for column in columns]
    lines.insert(1, "  ".join(rule).rstrip())
    return "\n".join(lines)


def _columns_that_fit(widths: Sequence[int], keys: int) -> list[list[int]]:
    """The columns of each of the tables that a wide one is cut into, as few as will do."""
    start = list(range(keys))
    parts = [start.copy()]
    for column in range(keys, len(widths)):
        together = [*parts[-1], column]
        wide = sum(widths[one] for one in together) + 2 * (len(together) - 1) > _columns()
        if wide and len(parts[-1]) > keys:
            parts.append([*start, column])
        else:
            parts[-1] = together
    return parts


def _columns() -> int:
    """The terminal's width; 100 in a log."""
    return shutil.get_terminal_size((100, 24)).columns


def wrapped(text: str, indent: str = "") -> list[str]:
    """Lines of running text, cut to the terminal's width and the same in a log."""
    return textwrap.wrap(
        text,
        max(40, min(_columns(), 120)),
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_on_hyphens=False,
    )


def documents(count: int) -> str:
    """``"1 document"``, ``"2 documents"``."""
    return f"{count} document" if count == 1 else f"{count} documents"


def format_bytes(count: float) -> str:
    """A size for people, in powers of 1024: ``"3.2 MiB"``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"


class Progress:
    """A progress line on standard error: a bar at a terminal, a line now and then in a log.

    The device runtime carries no progress library, so this is the little that its long commands
    need.

    Args:
        label: what is being done.
        total: how many steps there are, or None when nobody knows.
        unit: what a step is, in the plural.

    Attributes:
        done: steps done so far.
    """

    def __init__(self, label: str, total: int | None, unit: str) -> None:
        self._label, self.total, self._unit = label, total, unit
        self._terminal = sys.stderr.isatty()
        self._start = self._shown = time.monotonic()
        self.done = self._width = 0

    def update(self, done: int) -> None:
        """Say that `done` steps are done in all."""
        self.done = done
        now = time.monotonic()
        if now - self._shown >= (0.1 if self._terminal else 10):
            self._shown = now
            self._show("\r" if self._terminal else "", "" if self._terminal else "\n")

    def finish(self) -> None:
        """Print the last state and end the line."""
        self._show("\r" if self._terminal else "", "\n")

    def _show(self, before: str, after: str) -> None:
        seconds = time.monotonic() - self._start
        rate = self.done / seconds if seconds > 0 else 0.0
        count = f"{self.done}" if self.total is None else f"{self.done}/{self.total}"
        bar = ""
        if self._terminal and self.total:
            filled = round(24 * self.done / self.total)
            bar = f" [{'#' * filled}{'.' * (24 - filled)}]"
        line = f"{self._label}{bar} {count} {self._unit}, {rate:,.0f}/s, {seconds:.1f} s"
        # A shorter line leaves nothing of a longer one.
        self._width = max(self._width, len(line)) if self._terminal else 0
        print(
            f"{before}{line.ljust(self._width)}",
            end=after,
            file=sys.stderr,
            flush=True,
        )
