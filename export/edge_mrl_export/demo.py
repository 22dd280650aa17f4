"""The demo: export a real model, plan for three boards, index this Python's documentation, answer
questions."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_mrl.bundle import Bundle
from edge_mrl.cli.inspect import describe, slice_table
from edge_mrl.cli.output import Progress, format_bytes, format_table
from edge_mrl.cli.plan_table import plan_rows, render_plans
from edge_mrl.encoder import Encoder
from edge_mrl.errors import BundleError, IndexFileError
from edge_mrl.index import Hit, Index, Record, build_index
from edge_mrl.planning import BundleFacts, load_profile
from edge_mrl.version import __version__
from edge_mrl_export.commands.export import report_table
from edge_mrl_export.commands.step_printer import StepPrinter
from edge_mrl_export.options import ExportOptions
from edge_mrl_export.pipeline import export
from edge_mrl_export.pydocs import PyDoc, standard_library_docs

BOARDS = ("raspberry-pi-zero-2w", "raspberry-pi-4b", "raspberry-pi-5")
QUESTIONS = (
    "compress a file",
    "parse a date from text",
    "run a command and read its output",
    "remove a directory and everything in it",
    "average of a list of numbers",
)
"""The first is also asked at every trained size."""

HITS = 3


@dataclass(frozen=True, slots=True)
class _Printer:
    """Prints for a person, or keeps quiet for a program."""

    quiet: bool

    def __call__(self, text: str = "") -> None:
        if not self.quiet:
            print(text, flush=True)

    def heading(self, text: str) -> None:
        self(f"\n{text}\n{'=' * len(text)}")


def run_demo(folder: Path, *, fresh: bool, quiet: bool) -> dict[str, object]:
    """Run the whole path; what a run makes is kept in `folder` for the next one.

    Args:
        folder: where bundle and indexes are kept.
        fresh: make them anew.
        quiet: print nothing on standard output and ask no questions.

    Returns:
        What was shown, as one JSON object.
    """
    show = _Printer(quiet)
    folder.mkdir(parents=True, exist_ok=True)
    bundle = _bundle(folder / "wordllama.bundle", fresh=fresh, show=show)
    show.heading("What every slice costs and keeps")
    show(slice_table(bundle.manifest))
    indexes = _indexes(folder, bundle, fresh=fresh, show=show)
    documents = indexes[max(indexes)].count()
    plans = _plans(bundle, documents, show)
    answers = _answer(indexes[max(indexes)], QUESTIONS, show)
    side_by_side = _side_by_side(indexes, QUESTIONS[0], show)
    if sys.stdin.isatty() and not quiet:
        _take_questions(indexes[max(indexes)])
    for index in indexes.values():
        index.close()
    return {
        "bundle": str(bundle.path),
        "documents": documents,
        "plans": plans,
        "answers": [
            {"question": q, "hits": [hit.as_json() for hit in hits]} for q, hits in answers
        ],
        "slices": {str(dim): [hit.as_json() for hit in hits] for dim, hits in side_by_side.items()},
    }


def _bundle(place: Path, *, fresh: bool, show: _Printer) -> Bundle:
    show.heading("A trained Matryoshka model becomes a bundle")
    bundle = None if fresh else _kept_bundle(place)
    if bundle is None:
        report = export(
            "wordllama", place, ExportOptions(overwrite=place.exists()), on_step=StepPrinter()
        )
        bundle = Bundle.open(place)
        show(report_table(report))
        show()
    show(describe(bundle.manifest))
    show(f"{place}: {format_bytes(sum(entry.size for entry in bundle.manifest.files))}")
    return bundle


def _kept_bundle(place: Path) -> Bundle | None:
    """The bundle of an earlier run, if it is whole and of this version."""
    try:
        bundle = Bundle.open(place)
        bundle.check_all()
    except BundleError:
        return None
    return bundle if bundle.manifest.tools.get("edge-mrl") == __version__ else None


def _indexes(folder: Path, bundle: Bundle, *, fresh: bool, show: _Printer) -> dict[int, Index]:
    """One index for each trained size, of this Python's documentation."""
    version = platform.python_version()
    show.heading(f"The documentation of Python {version}, indexed at every trained size")
    records: list[Record] = []
    indexes: dict[int, Index] = {}
    rows = []
    for dim in bundle.manifest.embedding.matryoshka_dims:
        encoder = Encoder.load(bundle.path, truncate_dim=dim)
        place = folder / f"python-{version}-{dim}.index"
        index = None if fresh else _kept_index(place, encoder)
        if index is None:
            records = records or [_record(doc) for doc in standard_library_docs()]
            index = _build(place, encoder, records)
        indexes[dim] = index
        stats = index.stats()
        rows.append(
            [
                str(dim),
                str(stats.documents),
                str(stats.layout.stored),
                " > ".join(map(str, stats.layout.resident)),
                format_bytes(stats.resident_bytes),
                format_bytes(stats.file_bytes),
                "-" if stats.expected_recall is None else f"{stats.expected_recall:.3f}",
            ]
        )
    header = ["size", "documents", "stored", "scanned", "resident", "file", "expected recall@10"]
    show(format_table(header, rows))
    return indexes


def _record(doc: PyDoc) -> Record:
    return Record(text=f"{doc.name}: {doc.text}", id=doc.name, metadata={"kind": doc.kind})


def _kept_index(place: Path, encoder: Encoder) -> Index | None:
    if not place.exists():
        return None
    try:
        return Index.open(place, encoder)
    except IndexFileError:
        return None


def _build(place: Path, encoder: Encoder, records: Sequence[Record]) -> Index:
    progress = Progress(f"indexing at {encoder.dim} dimensions", len(records), "documents")
    index = build_index(place, encoder, iter(records), on_progress=progress.update)
    progress.finish()
    return index


def _plans(bundle: Bundle, documents: int, show: _Printer) -> list[dict[str, object]]:
    show.heading("Which slice three boards would use")
    rows = plan_rows(
        BundleFacts.from_manifest(bundle.manifest),
        [load_profile(name) for name in BOARDS],
        [documents, 100_000, 2_000_000],
    )
    show(render_plans(rows))
    return [row.to_json() for row in rows]


def _answer(index: Index, questions: Sequence[str], show: _Printer) -> list[tuple[str, list[Hit]]]:
    show.heading("Questions")
    answers = []
    for question in questions:
        hits = index.search(question, k=HITS)
        answers.append((question, hits))
        show(f"\n{question}?")
        for hit in hits:
            show(f"  {hit.score:.3f}  {_one_line(hit.text)}")
    return answers


def _side_by_side(indexes: dict[int, Index], question: str, show: _Printer) -> dict[int, list[Hit]]:
    show.heading(f"{question!r} at every trained size")
    found = {dim: index.search(question, k=5) for dim, index in indexes.items()}
    lines = [[f"{hit.score:.3f} {hit.id}" for hit in hits] for hits in found.values()]
    header = [f"{dim} dimensions" for dim in found]
    show(
        format_table(
            header, [list(row) for row in zip(*lines, strict=True)], left=range(len(header))
        )
    )
    return found


def _take_questions(index: Index) -> None:
    print("\nAsk for anything in the standard library; an empty line ends.")
    while True:
        try:
            question = input("? ").strip()
        except EOFError:
            print()
            return
        if not question:
            return
        for hit in index.search(question, k=5):
            print(f"  {hit.score:.3f}  {_one_line(hit.text)}")


def _one_line(text: str, width: int = 100) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 3] + "..."
