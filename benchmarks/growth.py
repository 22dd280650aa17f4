"""How time and memory grow with the number of documents, drawn from what benchmarks.search wrote.

    python -m benchmarks.growth FILE OUT.svg [--only NAME ...]

Both axes of both panels are logarithmic. The dashed line grows as the number of documents does.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from edge_mrl.cli.svg import FAINT, FONT, Axis, line, text

COLOURS = ("#0B6E4F", "#C1440E", "#2E5EAA", "#8E44AD", "#B8860B", "#444444", "#D6336C", "#0891B2")
PANEL, MARGIN, HEIGHT, LINE = 400, 70, 330, 18
Series = dict[str, list[tuple[int, float]]]


def series(result: dict[str, Any], key: str, scale: float, only: list[str]) -> Series:
    """Points (documents, figure) of each contender that was measured at two sizes or more."""
    found: Series = {}
    for size, table in result["sizes"].items():
        for row in table["rows"]:
            value = row.get(key)
            named = not only or any(word.lower() in row["name"].lower() for word in only)
            if value and value > 0 and named:
                found.setdefault(row["name"], []).append((int(size), value * scale))
    return {name: sorted(points) for name, points in found.items() if len(points) > 1}


def panel(left: float, title: str, drawn: Series, colours: dict[str, str]) -> list[str]:
    """One chart."""
    points = [point for line_ in drawn.values() for point in line_]
    sizes, values = [n for n, _ in points], [value for _, value in points]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    across = Axis(math.log10(min(sizes)), math.log10(max(sizes)), left + MARGIN, left + PANEL - 20)
    up = Axis(low, max(high, low + 1), HEIGHT - 40, 40)
    parts = [text(left + MARGIN, 22, title, weight="bold")]
    for power in range(low, max(high, low + 1) + 1):
        y = up.at(power)
        parts.append(line(across.start, y, across.end, y, FAINT))
        parts.append(text(across.start - 8, y + 4, f"{10.0**power:g}", "end"))
    for size in sorted(set(sizes)):
        x = across.at(math.log10(size))
        parts.append(line(x, up.start, x, up.end, FAINT))
        parts.append(text(x, up.start + 20, f"{size:,}", "middle"))
    first = drawn[next(iter(drawn))]
    steps = min(across.high - across.low, up.high - math.log10(first[0][1]))
    start = math.log10(first[0][1])
    parts.append(
        line(
            across.start,
            up.at(start),
            across.at(across.low + steps),
            up.at(start + steps),
            "#999999",
            "5 4",
        )
    )
    for name, run in drawn.items():
        places = [(across.at(math.log10(n)), up.at(math.log10(value))) for n, value in run]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colours[name]}" stroke-width="2"/>'
        )
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colours[name]}"/>' for x, y in places
        ]
    return parts


def draw(result: dict[str, Any], only: list[str]) -> str:
    """The whole picture, as SVG.

    Raises:
        ValueError: fewer than two sizes were measured.
    """
    times = series(result, "median_us", 1e-3, only)
    memory = series(result, "memory_bytes", 1e-6, only)
    if not times or not memory:
        raise ValueError("measure at least two sizes: nothing was measured at more than one")
    names = list(dict.fromkeys([*times, *memory]))
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    parts = panel(0, "milliseconds a query, one thread", times, colours)
    parts += panel(PANEL, "memory for the documents, MB", memory, colours)
    for place, name in enumerate(names):
        y = HEIGHT + 10 + LINE * place
        parts.append(line(MARGIN, y - 4, MARGIN + 24, y - 4, colours[name]))
        parts.append(text(MARGIN + 32, y, name))
    height = HEIGHT + 20 + LINE * len(names)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * PANEL}" height="{height}" '
        f'font-family="{FONT}">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="parts of names")
    given = parser.parse_args()
    try:
        picture = draw(json.loads(given.file.read_text()), given.only)
    except ValueError as error:
        parser.error(str(error))
    given.out.write_text(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
