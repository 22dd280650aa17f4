"""What a benchmark wrote with --json, as Markdown tables.

    python -m benchmarks.table FILE ...

Understands the files of benchmarks.search and benchmarks.pipelines. A cell without a figure is "-".
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it is called, which figure it shows, in which unit and how exactly."""

    head: str
    key: str
    scale: float = 1
    digits: int = 0

    def cell(self, row: Row) -> str:
        value = row.get(self.key)
        if value is None:
            return "-"
        return value if isinstance(value, str) else f"{value * self.scale:.{self.digits}f}"


SEARCH = (
    Column("", "name"),
    Column("CPU µs", "median_us"),
    Column("batch, µs", "batch_1_thread_us"),
    Column("2 threads, µs", "batch_2_thread_us"),
    Column("recall@10", "recall", 1, 4),
    Column("memory MB", "memory_bytes", 1e-6, 1),
    Column("library MB", "library_bytes", 1e-6, 1),
    Column("open + first ms", "open_ms"),
    Column("file MB", "file_bytes", 1e-6, 1),
    Column("build s", "build_s", 1, 1),
    Column("inserted/s", "inserted_per_s"),
    Column("scan GB/s", "scan_bytes_per_s", 1e-9, 1),
    Column("settings", "note"),
)
PIPELINES = (
    Column("", "name"),
    Column("cold start s", "cold_s", 1, 3),
    Column("CPU s", "cold_cpu_s", 1, 3),
    Column("peak MB", "cold_peak_bytes", 1e-6),
    Column("warm query ms", "warm_ms", 1, 2),
    Column("ingest documents/s", "ingest_per_s"),
    Column("ingest peak MB", "ingest_peak_bytes", 1e-6),
    Column("index MB", "index_bytes", 1e-6, 1),
    Column("nDCG@10", "ndcg", 1, 3),
    Column("left after kill", "left_after_kill"),
    Column("installed MB", "installed_bytes", 1e-6),
    Column("packages", "packages"),
    Column("least MB", "least_bytes", 1e-6),
    Column("least packages", "least_packages"),
)


def markdown(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """A table of the rows that were measured, and a line for each that was not."""
    measured = [row for row in rows if "missing" not in row]
    lines = [
        "| " + " | ".join(column.head for column in columns) + " |",
        "|---|" + "--:|" * (len(columns) - 1),
        *("| " + " | ".join(column.cell(row) for column in columns) + " |" for row in measured),
    ]
    absent = [f"- {row['name']}: {row['missing']}" for row in rows if "missing" in row]
    return "\n".join([*lines, *([""] if absent else []), *absent])


def render(result: dict[str, Any]) -> str:
    """All tables of one result, under what they were measured on."""
    about = [f"{key}: {value}" for key, value in result.items() if isinstance(value, str)]
    if "read_bytes_per_second" in result:
        about.append(f"read bandwidth: {result['read_bytes_per_second'] / 1e9:.1f} GB/s")
    parts = ["; ".join(about)]
    for size, table in result.get("sizes", {}).items():
        parts.append(f"**{int(size):,} documents** ({table['kind']})")
        parts.append(markdown(SEARCH, table["rows"]))
    if "pipelines" in result:
        parts.append(markdown(PIPELINES, result["pipelines"]))
    return "\n\n".join(parts)


def main(write: Callable[[str], object] = print) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="+")
    for path in parser.parse_args().file:
        write(render(json.loads(path.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
