"""What every slice keeps against what its vector costs, as an SVG drawing. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape

from edge_mrl.bundle.manifest import Manifest, SliceQuality
from edge_mrl.cli import svg
from edge_mrl.cli.svg import Axis

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
class Palette:
    """The colours of a drawing, as SVG writes them; those of the points by bits per number."""

    page: str
    ink: str
    soft: str
    faint: str
    bits: Mapping[int, str]


# Okabe and Ito's, which people with a colour vision deficiency can tell apart, one of them darker
# so that it shows on white.
ON_WHITE = Palette(
    page="#ffffff",
    ink="#1f2328",
    soft="#7a828c",
    faint="#e3e6ea",
    bits={
        1: "#d55e00",
        2: "#b8860b",
        4: "#009e73",
        8: "#0072b2",
        16: "#cc79a7",
        32: "#555b64",
    },
)
WIDTH, HEIGHT, HEAD = 780, 520, 60
"""Of the drawing that stands alone, and of the words above it, in pixels."""


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


def quality_drawing(manifest: Manifest) -> str:
    """Draw what the slices of a bundle cost and keep.

    Args:
        manifest: of the bundle; its quality table has at least one row.

    Returns:
        An SVG document.
    """
    quality = manifest.quality
    title = f"{manifest.model.name}: what a slice costs and keeps"
    # A bold letter is about two thirds as wide as its size; model names can be long.
    size = min(17, int((WIDTH - 58) / (0.66 * len(title))))
    said = (
        f"Share of the full vector's nDCG@10, {quality.labels}. "
        "The line joins the best for their bytes."
    )
    plot = quality_plot(quality.slices, WIDTH, HEIGHT - HEAD, ON_WHITE)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{svg.FONT}">\n<title>{escape(title)}</title>'
        f'\n<rect width="{WIDTH}" height="{HEIGHT}" fill="{ON_WHITE.page}"/>\n'
        f"{svg.text(46, 28, title, size=size, weight='bold', colour=ON_WHITE.ink)}\n"
        f"{svg.text(46, 48, said, size=12, colour=ON_WHITE.soft)}\n"
        f'<g transform="translate(0 {HEAD})" font-size="12">\n{plot}\n</g>\n</svg>\n'
    )


def quality_plot(slices: Sequence[SliceQuality], width: int, height: int, colours: Palette) -> str:
    """Draw a quality table.

    Args:
        slices: its rows, at least one.
        width: of the drawing, in pixels.
        height: likewise.
        colours: of the page around it and of the points.

    Returns:
        The inside of an SVG element whose every point is labelled with its slice. A line joins
        those that are best for their bytes.
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
    line = f'fill="none" stroke="{colours.soft}" stroke-width="2"'
    return "\n".join(
        [
            *_grid(across, up, field, colours),
            f'<polyline points="{corners}" {line}/>',
            *(_point(row, *points[row], colours) for row in slices),
            *_labels(points, best, field, colours),
            *_legend(slices, field, colours),
        ]
    )


def _text(
    x: float, y: float, said: str, colours: Palette, anchor: str = "start", *, bold: bool = False
) -> str:
    return svg.text(
        x,
        y,
        said,
        anchor,
        size=SIZE,
        weight="bold" if bold else "normal",
        colour=colours.ink,
        rim=colours.page,
    )


def _grid(across: Axis, up: Axis, field: Box, colours: Palette) -> Iterator[str]:
    # A tick at each power of two, or at every other where they would touch.
    step = 1 if across.at(1) - across.at(0) >= 36 else 2
    for power in range(math.ceil(across.low), math.floor(across.high) + 1, step):
        x = across.at(power)
        yield svg.line(x, field.top, x, field.bottom, colours.faint)
        yield _text(x, field.bottom + 17, f"{2**power}", colours, "middle")
    for value in up.ticks():
        y = up.at(value)
        yield svg.line(field.left, y, field.right, y, colours.faint)
        yield _text(field.left - 6, y + 4, f"{value:g} %", colours, "end")
    yield svg.line(field.left, field.bottom, field.right, field.bottom, colours.ink)
    yield svg.line(field.left, field.top, field.left, field.bottom, colours.ink)
    middle = (field.left + field.right) / 2
    yield _text(middle, field.bottom + 37, "bytes per vector, each step doubled", colours, "middle")


def _point(row: SliceQuality, x: float, y: float, colours: Palette) -> str:
    hint = f"{row.slice}: {row.slice.nbytes} bytes, {100 * row.kept:.1f} % kept"
    return (
        f'<g><title>{hint}</title><circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}" '
        f'fill="{colours.bits[row.slice.bits]}"/></g>'
    )


def _labels(
    points: dict[SliceQuality, tuple[float, float]],
    best: Sequence[SliceQuality],
    field: Box,
    colours: Palette,
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
            yield svg.line(x, y, min(max(x, box.left), box.right), end, colours.soft)
        yield _text(middle, box.bottom - 2, str(row.slice), colours, "middle", bold=bold)


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


def _legend(slices: Sequence[SliceQuality], field: Box, colours: Palette) -> Iterator[str]:
    yield _text(field.left, 16, "bits per number:", colours)
    x = field.left + 108
    for bits in sorted({row.slice.bits for row in slices}):
        yield f'<circle cx="{x:.1f}" cy="12" r="{RADIUS}" fill="{colours.bits[bits]}"/>'
        yield _text(x + 8, 16, str(bits), colours)
        x += 36
