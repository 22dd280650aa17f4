"""What every slice keeps against what its vector costs, as an SVG drawing. Pure.

The colours are variables of the page that holds it, so that it follows the page into the dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from edge_mrl.bundle.manifest import SliceQuality
from edge_mrl.cli import svg
from edge_mrl.cli.svg import Axis
from edge_mrl_export.markup import Markup, words

RADIUS = 4.5
SIZE = 11
"""Of a label's letters, in pixels."""
GAP = 2
"""Left and right of a label, in pixels."""
DISTANCES = (9, 13, 18, 24, 31, 39, 48, 58, 70, 84)
ANGLES = (-135, -90, -45, 180, 0, 135, 90, 45, -160, -20, 160, 20, -112, -68, 112, 68)
"""Where a label may stand around its point, in degrees clockwise from the right; the first that is
free is taken. Above first: below the best slices stand the others."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle that words or a point take up."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether two boxes overlap."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: Box) -> bool:
        """Whether the other lies inside."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top
            and other.bottom <= self.bottom
        )


def best_for_their_bytes(slices: Sequence[SliceQuality]) -> list[SliceQuality]:
    """The slices that keep more than every other of as many bytes or fewer, smallest first."""
    best: list[SliceQuality] = []
    for row in sorted(slices, key=lambda row: (row.slice.nbytes, -row.kept, row.slice)):
        if not best or row.kept > best[-1].kept:
            best.append(row)
    return best


def quality_plot(slices: Sequence[SliceQuality], width: int, height: int) -> Markup:
    """Draw a quality table.

    Args:
        slices: its rows, at least one.
        width: of the drawing, in pixels.
        height: likewise.

    Returns:
        An SVG element whose every point is labelled with its slice. A line joins those that are
        best for their bytes.
    """
    field = Box(46, 40, width - 12, height - 46)
    costs = [math.log2(row.slice.nbytes) for row in slices]
    kept = [100 * row.kept for row in slices]
    across = Axis(min(costs) - 0.4, max(costs) + 0.4, field.left, field.right)
    room = 0.08 * max(10.0, max(kept) - min(kept))
    up = Axis(max(0.0, min(kept) - room), max(100.0, *kept) + 2 * room, field.bottom, field.top)
    points = {
        row: (across.at(cost), up.at(share))
        for row, cost, share in zip(slices, costs, kept, strict=True)
    }
    best = best_for_their_bytes(slices)
    corners = " ".join(f"{points[row][0]:.1f},{points[row][1]:.1f}" for row in best)
    body = "\n".join(
        [
            "<title>Quality kept against bytes per vector</title>",
            *_grid(across, up, field),
            f'<polyline points="{corners}" fill="none" stroke="var(--soft)" stroke-width="2"/>',
            *(_point(row, *points[row]) for row in slices),
            *_labels(points, best, field),
            *_legend(slices, field),
        ]
    )
    return Markup(
        f'<svg viewBox="0 0 {width} {height}" role="img" font-family="{svg.FONT}" '
        f'font-size="12" class="at{width}">\n{body}\n</svg>'
    )


def _colour(row: SliceQuality) -> str:
    return f"var(--bits{row.slice.bits})"


def _text(x: float, y: float, said: str, anchor: str = "start", *, bold: bool = False) -> str:
    return svg.text(
        x,
        y,
        said,
        anchor,
        size=SIZE,
        weight="bold" if bold else "normal",
        colour="var(--ink)",
        rim="var(--page)",
    )


def _grid(across: Axis, up: Axis, field: Box) -> Iterator[str]:
    # A tick at each power of two, or at every other where they would touch.
    step = 1 if across.at(1) - across.at(0) >= 36 else 2
    for power in range(math.ceil(across.low), math.floor(across.high) + 1, step):
        x = across.at(power)
        yield svg.line(x, field.top, x, field.bottom, "var(--faint)")
        yield _text(x, field.bottom + 17, f"{2**power}", "middle")
    for value in up.ticks():
        y = up.at(value)
        yield svg.line(field.left, y, field.right, y, "var(--faint)")
        yield _text(field.left - 6, y + 4, f"{value:g} %", "end")
    yield svg.line(field.left, field.bottom, field.right, field.bottom, "var(--ink)")
    yield svg.line(field.left, field.top, field.left, field.bottom, "var(--ink)")
    middle = (field.left + field.right) / 2
    yield _text(middle, field.bottom + 37, "bytes per vector, each step doubled", "middle")


def _point(row: SliceQuality, x: float, y: float) -> str:
    hint = f"{row.slice}: {row.slice.nbytes} bytes, {100 * row.kept:.1f} % kept"
    return (
        f'<g><title>{words(hint)}</title><circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}" '
        f'fill="{_colour(row)}"/></g>'
    )


def _labels(
    points: dict[SliceQuality, tuple[float, float]], best: Sequence[SliceQuality], field: Box
) -> Iterator[str]:
    """The name of every slice beside its point, or at the end of a line where it is crowded."""
    # The rim of the letters reaches a little beyond the field, up to the legend.
    room = Box(field.left + 2, field.top - 4, field.right + 10, field.bottom - 2)
    taken = [Box(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in points.values()]
    taken += _along([points[row] for row in best])
    others = sorted((row for row in points if row not in best), key=lambda row: -row.kept)
    for row in (*best, *others):
        x, y = points[row]
        bold = row in best
        half = 0.5 * (svg.LETTER + 0.06 * bold) * SIZE * len(str(row.slice)) + GAP
        box, away = _place(x, y, half, room, taken)
        taken.append(box)
        middle = (box.left + box.right) / 2
        if away > DISTANCES[1]:
            end = (
                box.bottom
                if box.bottom < y
                else box.top
                if box.top > y
                else (box.top + box.bottom) / 2
            )
            yield svg.line(x, y, min(max(x, box.left), box.right), end, "var(--soft)")
        yield _text(middle, box.bottom - 2, str(row.slice), "middle", bold=bold)


def _along(corners: Sequence[tuple[float, float]]) -> Iterator[Box]:
    """Small boxes that cover the line through these corners."""
    for (x1, y1), (x2, y2) in pairwise(corners):
        steps = max(1, round(math.hypot(x2 - x1, y2 - y1) / 4))
        for step in range(steps):
            x, y = x1 + (x2 - x1) * step / steps, y1 + (y2 - y1) * step / steps
            yield Box(x - 1, y - 1, x + 1, y + 1)


def _place(x: float, y: float, half: float, room: Box, taken: Sequence[Box]) -> tuple[Box, float]:
    """The nearest free place for a label of this half width, and how far from its point it is."""
    fallback: Box | None = None
    for distance in DISTANCES:
        for angle in ANGLES:
            turn = math.radians(angle)
            # From the point to the nearest edge of the box, not to its middle.
            middle = x + math.cos(turn) * (distance + half)
            centre = y + math.sin(turn) * (distance + SIZE / 2)
            box = Box(middle - half, centre - SIZE / 2, middle + half, centre + SIZE / 2)
            if not room.holds(box):
                continue
            if not any(box.meets(other) for other in taken):
                return box, distance
            fallback = fallback or box
    return fallback or Box(x - half, y - SIZE, x + half, y), 0.0


def _legend(slices: Sequence[SliceQuality], field: Box) -> Iterator[str]:
    yield _text(field.left, 16, "bits per number:")
    x = field.left + 108
    for bits in sorted({row.slice.bits for row in slices}):
        yield f'<circle cx="{x:.1f}" cy="12" r="{RADIUS}" fill="var(--bits{bits})"/>'
        yield _text(x + 8, 16, str(bits))
        x += 36
