"""One line of `benchmarks.plan`: an index, what was predicted for it, what was measured, and
whether that holds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_mrl.cli.output import format_table

MB = 1e6
MEMORY_SHARE, MEMORY_MB = 0.10, 4.0
FILE_SHARE = 0.05
RECALL = 0.01
SEARCH_FACTOR, EMBEDDING_FACTOR = 1.5, 1.3

HEADER = (
    "documents stored  resident     lists        memory MB           file MB         recall@10"
    "          search ms        embedding ms"
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure; `apart` is how far prediction and measurement lie from one another, as a share of
    what is allowed: at most 1 where it holds."""

    name: str
    predicted: float
    measured: float
    apart: float
    digits: int

    @property
    def holds(self) -> bool:
        """Whether the prediction holds."""
        return self.apart <= 1 + 1e-9

    def __str__(self) -> str:
        mark = " " if self.holds else "!"
        return f"{self.predicted:8.{self.digits}f} /{self.measured:8.{self.digits}f}{mark}"


@dataclass(frozen=True, slots=True)
class Row:
    """One index.

    Attributes:
        documents: how many.
        stored: slice.
        resident: scan and refine slices.
        lists: as it took them.
        cells: the figures.
    """

    documents: int
    stored: str
    resident: str
    lists: tuple[int, ...]
    cells: tuple[Cell, ...]

    def __str__(self) -> str:
        head = f"{self.documents:9} {self.stored:>6} {self.resident:>11} "
        lists = " ".join(map(str, self.lists))
        return f"{head}{lists:>9}  " + " ".join(map(str, self.cells))


def row_of(plan: dict, measured: dict) -> Row:
    """A line.

    Args:
        plan: `Plan.to_json` of a plan that knows the lists.
        measured: the fields of `edge_mrl.bench.work.Measured`.
    """
    embedding = min(measured["embedding_cpu_seconds"])
    search = statistics.median(measured["query_cpu_seconds"])
    memory = measured["memory_bytes"] / MB
    cells = (
        _within("memory", plan["memory_bytes"] / MB, memory, max(MEMORY_MB, MEMORY_SHARE * memory)),
        _within(
            "file",
            plan["index_file_bytes"] / MB,
            measured["file_bytes"] / MB,
            FILE_SHARE * measured["file_bytes"] / MB,
            digits=2,
        ),
        _within("recall", plan["recall"], measured["recall"], RECALL, digits=3),
        _factor("search", plan["query_latency_ms"], 1e3 * search, SEARCH_FACTOR),
        _factor("embedding", plan["embedding_latency_ms"], 1e3 * embedding, EMBEDDING_FACTOR),
    )
    resident = " ".join(filter(None, (plan["scan"], plan["refine"])))
    return Row(plan["documents"], plan["stored"], resident, tuple(measured["shortlists"]), cells)


def _within(name: str, predicted: float, measured: float, allowed: float, digits: int = 1) -> Cell:
    return Cell(name, predicted, measured, abs(predicted - measured) / allowed, digits)


def _factor(name: str, predicted: float, measured: float, allowed: float) -> Cell:
    factor = max(predicted / measured, measured / predicted)
    return Cell(name, predicted, measured, (factor - 1) / (allowed - 1), 3)


def by_size(rows: Sequence[Row]) -> str:
    """A table: for each number of documents and each figure, how many predictions hold, and the
    middle of measured over predicted."""
    names = [cell.name for cell in rows[0].cells]
    lines = []
    for documents in sorted({row.documents for row in rows}):
        some = [row.cells for row in rows if row.documents == documents]
        lines.append([f"{documents}", *(_held(cells) for cells in zip(*some, strict=True))])
    lines.append(["all", *(_held(cells) for cells in zip(*(r.cells for r in rows), strict=True))])
    return format_table(["documents", *names], lines)


def _held(cells: Sequence[Cell]) -> str:
    held = sum(cell.holds for cell in cells)
    ratios = [cell.measured / cell.predicted for cell in cells if cell.predicted]
    return f"{held} of {len(cells)} ({statistics.median(ratios):.2f})"


def furthest(rows: Sequence[Row]) -> Iterable[str]:
    """For each figure, the line whose prediction and measurement lie furthest apart."""
    for cells in zip(*(row.cells for row in rows), strict=True):
        worst = max(range(len(cells)), key=lambda number: cells[number].apart)
        row = rows[worst]
        yield (
            f"{cells[0].name:10} furthest apart:{cells[worst]} for "
            f"{row.documents} documents, {row.stored} {row.resident}"
        )
