"""The few SVG shapes that drawings share: a linear axis with round ticks, lines, words.

Written by hand: a drawing library would be larger than the rest of the runtime."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

INK, FAINT = "#222222", "#DDDDDD"
FONT = "Helvetica, Arial, Liberation Sans, DejaVu Sans, Noto Sans, sans-serif"
LETTER = 0.6
"""The mean width of a letter of `FONT`, as a share of its size; digits are a little narrower."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear scale from values to pixels, with round ticks."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> Iterator[float]:
        """Four to ten round values."""
        rough = (self.high - self.low) / 6
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        yield from (step * count for count in range(first, last + 1))


def line(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "") -> str:
    """A straight line."""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dashed}/>'
    )


def text(
    x: float,
    y: float,
    words: str,
    anchor: str = "start",
    *,
    size: int = 13,
    weight: str = "normal",
    colour: str = INK,
    rim: str = "white",
) -> str:
    """One line of words, escaped. The rim, in the colour of the page, keeps them readable over
    points and lines."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}" fill="{colour}" stroke="{rim}" stroke-width="3" '
        f'paint-order="stroke">{escape(words)}</text>'
    )
