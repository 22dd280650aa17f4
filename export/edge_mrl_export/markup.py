"""HTML by hand: everything is escaped unless it is markup already. Pure.

What it makes is well-formed XML too, so that a test can read it with a strict parser."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

_UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters, which no page may hold, and those that turn the direction of what follows."""


class Markup(str):
    """Text that is markup and is not escaped again."""

    __slots__ = ()


def words(text: str) -> Markup:
    """Text as a page may hold it, whoever wrote it."""
    return Markup(escape(_UNSAFE.sub("\ufffd", text)))


def element(name: str, *parts: str, **attributes: str) -> Markup:
    """An element around its parts.

    Args:
        name: the element's name.
        parts: what it holds; plain text is escaped.
        attributes: by name; an underscore at the end is dropped (``class_``).
    """
    given = "".join(f' {key.rstrip("_")}="{words(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{given}>{joined(parts)}</{name}>")


def joined(parts: Iterable[str], between: str = "") -> Markup:
    """Parts after each other; plain text is escaped."""
    return Markup(
        words(between).join(part if isinstance(part, Markup) else words(part) for part in parts)
    )


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], marks: Sequence[str] = ()
) -> Markup:
    """A table whose first column names the row.

    Args:
        header: the column names.
        rows: cells, as many per row as there are names.
        marks: a class for each row; none where there are none.
    """
    lines = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", cell) for cell in row[1:]),
            **({"class": marks[number]} if marks and marks[number] else {}),
        )
        for number, row in enumerate(rows)
    ]
    head = element("tr", *(element("th", name, scope="col") for name in header))
    inner = element("table", element("thead", head), "\n", element("tbody", joined(lines, "\n")))
    return element("div", inner, class_="wide")


def items(rows: Iterable[str]) -> Markup:
    """A list without order."""
    return element("ul", joined((element("li", row) for row in rows), "\n"))


def facts(rows: Iterable[tuple[str, str]]) -> Markup:
    """Names with what they stand for."""
    return element(
        "dl",
        joined((joined([element("dt", name), element("dd", said)]) for name, said in rows), "\n"),
    )


def code(text: str) -> Markup:
    """Lines to copy."""
    return element("pre", element("code", text))
