"""All choices of one plan as an SVG drawing: quality kept against memory, the chosen one marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from edge_mrl.cli import svg
from edge_mrl.cli.svg import FAINT, FONT, INK, Axis
from edge_mrl.planning.candidates import Candidate
from edge_mrl.planning.overruns import codes
from edge_mrl.planning.planner import Survey
from edge_mrl.planning.words import mebibytes, milliseconds, number, percent

WIDTH, HEIGHT = 920, 580
LEFT, RIGHT, TOP, BOTTOM = 78, 700, 112, 474
"""The edges of the field that holds the points, in pixels."""

MIB = 2**20
BEYOND = 2.5
"""The memory axis ends at this many times the budget; choices beyond it are counted, not drawn."""

LINE = 15
"""Least pixels between two lines of text."""

LABEL = 180
"""Pixels that the budget's label takes."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How choices of one kind are drawn, and what the legend calls them."""

    shape: str
    colour: str
    label: str


# Okabe and Ito's colours, which people with a colour vision deficiency can tell apart; the shapes
# tell the kinds apart in grey too.
FITS = Mark("disc", "#0072B2", "keeps every budget")
BROKEN = {
    # Which budget a choice breaks the most.
    "memory": Mark("square", "#D55E00", "over the memory budget"),
    "latency": Mark("triangle", "#B8860B", "over the latency budget"),
    "storage": Mark("diamond", "#CC79A7", "over the storage budget"),
    "quality": Mark("cross", "#666666", "below the quality floor"),
}


def plan_plot(found: Survey) -> str:
    """Draw a survey.

    Args:
        found: from `edge_mrl.planning.planner.survey`, with at least one choice.

    Returns:
        An SVG document.
    """
    budgets = found.request.profile.budgets
    limit = BEYOND * budgets.memory_bytes / MIB
    # Of layouts that come to the same the eye sees one; the fitting one is drawn last, on top.
    drawn = [one for one in found.known if _memory(one) <= limit]
    drawn.sort(key=lambda one: -len(one.overruns(budgets)))
    sizes = [_memory(one) for one in drawn] or [limit]
    budget = budgets.memory_bytes / MIB
    near = budget if budget <= 1.5 * max(sizes) else 0
    margin = 0.06 * max(1.0, max(*sizes, near) - min(sizes))
    kept = [100 * one.quality_kept for one in found.known]
    across = Axis(max(0.0, min(sizes) - margin), max(*sizes, near) + margin, LEFT, RIGHT)
    up = Axis(min(kept) - 3, max(100.0, *kept) + 2, BOTTOM, TOP)
    parts = [
        *_head(found),
        *_grid(across, up),
        *_limits(found, across, up),
        *(_point(one, found, across, up) for one in drawn),
        *_chosen(found, across, up),
        *_levels(found.known, up),
        *_legend(found, drawn, len(found.known) - len(drawn)),
    ]
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{FONT}" '
        f'font-size="13" fill="{INK}">\n{body}\n</svg>\n'
    )


def _memory(one: Candidate) -> float:
    return one.cost.memory_bytes / MIB


def _head(found: Survey) -> Iterator[str]:
    request = found.request
    title = (
        f"{request.bundle.model} on {request.profile.title}, {number(request.documents)} documents"
    )
    yield f"<title>{escape(title)}</title>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    # A bold letter is about two thirds as wide as its size; model names can be long.
    size = min(19, int((WIDTH - LEFT) / (0.66 * len(title))))
    yield svg.text(LEFT, 34, title, size=size, weight="bold")
    if found.chosen is None:
        yield svg.text(LEFT, 58, "No choice keeps every budget.", size=14)
    else:
        one = found.chosen
        line = (
            f"Chosen: {one.variant.name}, stored {one.layout.stored}, scan {codes(one.layout)}: "
            f"{mebibytes(one.cost.memory_bytes)}, {milliseconds(1e3 * one.cost.latency)} a search, "
            f"{percent(one.quality_kept)} kept"
        )
        yield svg.text(LEFT, 58, line, size=14)
    yield svg.text(
        LEFT, 77, "Predicted from the device's figures, not measured on it.", colour="#666666"
    )


def _grid(across: Axis, up: Axis) -> Iterator[str]:
    for value in across.ticks():
        x = across.at(value)
        yield svg.line(x, TOP, x, BOTTOM, FAINT)
        yield svg.text(x, BOTTOM + 20, f"{value:g}", anchor="middle")
    for value in up.ticks():
        y = up.at(value)
        yield svg.line(LEFT, y, RIGHT, y, FAINT)
        yield svg.text(LEFT - 10, y + 4, f"{value:g} %", anchor="end")
    yield svg.line(LEFT, BOTTOM, RIGHT, BOTTOM, INK)
    yield svg.line(LEFT, TOP, LEFT, BOTTOM, INK)
    yield svg.text((LEFT + RIGHT) / 2, BOTTOM + 42, "resident memory, MiB", anchor="middle")
    middle = (TOP + BOTTOM) / 2
    yield (
        f'<text transform="translate(22 {middle:.1f}) rotate(-90)" text-anchor="middle">'
        "quality kept (nDCG@10 of the full vector)</text>"
    )


def _limits(found: Survey, across: Axis, up: Axis) -> Iterator[str]:
    """The budgets that this plane can show, as lines."""
    budgets = found.request.profile.budgets
    memory = budgets.memory_bytes / MIB
    colour = BROKEN["memory"].colour
    label = f"memory budget {mebibytes(budgets.memory_bytes)}"
    if memory <= across.high:
        x = across.at(memory)
        yield svg.line(x, TOP - 4, x, BOTTOM, colour, dashes="6 4")
        # Above the field, and not beyond its edges.
        x = min(max(x, LEFT + LABEL / 2), RIGHT - LABEL / 2)
        yield svg.text(x, TOP - 10, label, "middle", colour=colour)
    else:
        yield svg.text(RIGHT, TOP - 10, f"{label} \N{RIGHTWARDS ARROW}", "end", colour=colour)
    floor = 100 * budgets.quality_kept
    if up.low <= floor <= up.high:
        y = up.at(floor)
        colour = BROKEN["quality"].colour
        yield svg.line(LEFT, y, RIGHT, y, colour, dashes="6 4")
        yield svg.text(LEFT + 6, y - 6, f"quality floor {floor:g} %", colour=colour)


def _mark(one: Candidate, found: Survey) -> Mark:
    over = one.overruns(found.request.profile.budgets)
    return BROKEN[max(over, key=lambda budget: over[budget])] if over else FITS


def _point(one: Candidate, found: Survey, across: Axis, up: Axis) -> str:
    mark = _mark(one, found)
    hint = (
        f"{one.variant.name}, {one.layout}: {mebibytes(one.cost.memory_bytes)}, "
        f"{milliseconds(1e3 * one.cost.latency)}, {percent(one.quality_kept)}"
    )
    place = across.at(_memory(one)), up.at(100 * one.quality_kept)
    return f"<g><title>{escape(hint)}</title>{_shape(mark, *place)}</g>"


def _shape(mark: Mark, x: float, y: float) -> str:
    if mark.shape == "disc":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{mark.colour}" fill-opacity="0.75"/>'
    paths = {
        "square": "M-4-4h8v8h-8z",
        "triangle": "M0-5.5L5 4H-5z",
        "diamond": "M0-6L6 0 0 6-6 0z",
        "cross": "M-4-4L4 4M4-4L-4 4",
    }
    return (
        f'<path transform="translate({x:.1f} {y:.1f})" d="{paths[mark.shape]}" fill="none" '
        f'stroke="{mark.colour}" stroke-width="1.6"/>'
    )


def _chosen(found: Survey, across: Axis, up: Axis) -> Iterator[str]:
    one = found.chosen
    if one is None:
        return
    x, y = across.at(_memory(one)), up.at(100 * one.quality_kept)
    yield (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="10" fill="none" stroke="{INK}" stroke-width="2.2"/>'
    )
    # Above the point, where the better choices are, of which few fit; on the side with more room.
    left = x > (LEFT + RIGHT) / 2
    yield svg.text(
        x - 8 if left else x + 8,
        y - 15,
        f"chosen: scan {codes(one.layout)}",
        "end" if left else "start",
        weight="bold",
    )


def _levels(known: Sequence[Candidate], up: Axis) -> Iterator[str]:
    """At the right, which stored slice each level of quality is, never one name over another."""
    levels: dict[str, float] = {}
    for one in known:
        name = str(one.layout.stored)
        levels[name] = max(levels.get(name, 0.0), one.quality_kept)
    yield svg.text(RIGHT + 14, TOP - 10, "stored slice", weight="bold")
    last = float(TOP - LINE)
    for name, kept in sorted(levels.items(), key=lambda item: -item[1]):
        y = up.at(100 * kept)
        last = max(y, last + LINE)
        yield svg.line(RIGHT, y, RIGHT + 10, last, "#999999")
        yield svg.text(RIGHT + 14, last + 4, f"{name}  {percent(kept)}")


def _legend(found: Survey, drawn: Sequence[Candidate], beyond: int) -> Iterator[str]:
    kinds = [_mark(one, found) for one in drawn]
    x = float(LEFT)
    y = BOTTOM + 72
    for mark in (FITS, *BROKEN.values()):
        if mark in kinds:
            text = f"{mark.label} ({kinds.count(mark)})"
            if x + 18 + 7.3 * len(text) > WIDTH:
                x, y = float(LEFT), y + 20
            yield _shape(mark, x + 6, y - 4)
            yield svg.text(x + 18, y, text)
            x += 40 + 7.3 * len(text)
    if beyond:
        note = f"{beyond} more beyond the right edge"
        yield svg.text(RIGHT, BOTTOM + 42, note, "end", colour="#666666")
