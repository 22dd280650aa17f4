"""How commands print: one JSON object for programs, an aligned table for people, progress on
standard error."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping, Sequence


def print_json(document: Mapping[str, object]) -> None:
    """Print one JSON object on standard output."""
    print(_as_json(document, indent=2))


def print_json_line(document: Mapping[str, object]) -> None:
    """Print one JSON object on a line of standard output."""
    print(_as_json(document))


def _as_json(document: Mapping[str, object], indent: int | None = None) -> str:
    """Letters as they are; escaped where standard output cannot print one, such as half a surrogate
    pair in a document's metadata."""
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(document, indent=indent)
    return text


_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")


def one_line(text: object) -> str:
    """What a document says, on one line and without what would steer a terminal."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", " ".join(str(text).split()))


def format_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[int] = (0,)
) -> str:
    """Lay out rows under a header.

    Args:
        header: the column names.
        rows: cells as text, as many per row as there are names.
        left: the columns set flush left; the others are numbers and go flush right.
    """
    cells = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        parts = [
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(parts).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


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
    """

    def __init__(self, label: str, total: int | None, unit: str) -> None:
        self._label, self.total, self._unit = label, total, unit
        self._terminal = sys.stderr.isatty()
        self._start = self._shown = time.monotonic()
        self._done = 0

    def update(self, done: int) -> None:
        """Say that `done` steps are done in all."""
        self._done = done
        now = time.monotonic()
        if now - self._shown >= (0.1 if self._terminal else 10):
            self._shown = now
            self._show("\r" if self._terminal else "", "" if self._terminal else "\n")

    def finish(self) -> None:
        """Print the last state and end the line."""
        self._show("\r" if self._terminal else "", "\n")

    def _show(self, before: str, after: str) -> None:
        seconds = time.monotonic() - self._start
        rate = self._done / seconds if seconds > 0 else 0.0
        count = f"{self._done}" if self.total is None else f"{self._done}/{self.total}"
        bar = ""
        if self._terminal and self.total:
            filled = round(24 * self._done / self.total)
            bar = f" [{'#' * filled}{'.' * (24 - filled)}]"
        print(
            f"{before}{self._label}{bar} {count} {self._unit}, {rate:,.0f}/s, {seconds:.1f} s",
            end=after,
            file=sys.stderr,
            flush=True,
        )
