"""`edge-mrl eval`: retrieval or similarity quality of every variant, dimension and number of
bits."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_mrl.cli.arguments import numbers
from edge_mrl.cli.encoder_arguments import add_encoder_arguments, load_encoder_for
from edge_mrl.cli.output import Progress, format_table, print_json, print_text
from edge_mrl.errors import InputError
from edge_mrl.index import Index
from edge_mrl_export.evaluation import Choice, EvaluationReport, Result, evaluate
from edge_mrl_export.evaluation.branches import BranchReport, compare
from edge_mrl_export.evaluation.measures import Measured
from edge_mrl_export.evaluation.run import DEFAULT_BITS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument(
        "bundle",
        type=Path,
        metavar="BUNDLE|INDEX",
        help="a bundle folder; or an index file, to compare search by vectors, by words, by both",
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="a folder in BEIR's layout (corpus.jsonl, queries.jsonl, qrels/test.tsv), or with "
        "pairs.tsv (sentence1, sentence2, score)",
    )
    parser.add_argument("--variants", nargs="+", help="default: all that can run here")
    parser.add_argument("--dims", metavar="D,D,...", help="default: every trained size")
    parser.add_argument(
        "--bits",
        metavar="B,B,...",
        help=f"bits of a stored number (default {','.join(map(str, DEFAULT_BITS))})",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    if arguments.bundle.is_file():
        return _run_index(arguments)
    choice = Choice(
        variants=tuple(dict.fromkeys(arguments.variants)) if arguments.variants else None,
        dims=numbers(arguments.dims, "sizes", "64,128,256"),
        bits=numbers(arguments.bits, "bits", "1,4,8") or DEFAULT_BITS,
    )
    report = evaluate(arguments.bundle, arguments.data, choice, on_progress=_Bars())
    if arguments.json:
        print_json(as_json(arguments.bundle, report))
    else:
        print_text(as_table(report))
    return 0


def _run_index(arguments: argparse.Namespace) -> int:
    """Compare the ways to search an index."""
    for name in ("variants", "dims", "bits"):
        if getattr(arguments, name):
            raise InputError(f"--{name} is for bundles: an index has its own slices")
    place: Path = arguments.bundle
    defaults = argparse.ArgumentParser()
    add_encoder_arguments(defaults, optional_bundle=True)
    encoder = load_encoder_for(place, defaults.parse_args([]), threads=1)
    progress = Progress("asking", None, "queries")
    with Index.open(place, encoder) as index:
        report = compare(index, arguments.data, on_progress=progress.update)
    progress.finish()
    if arguments.json:
        print_json(branches_as_json(place, report))
    else:
        print_text(branches_as_table(report))
    return 0


def branches_as_json(place: Path, report: BranchReport) -> dict[str, object]:
    """The comparison as one JSON object."""
    return {
        "index": str(place),
        "data": report.data,
        "queries": report.queries,
        "documents": report.documents,
        "results": [{"way": way} | _rounded(measures) for way, measures in report.measures.items()],
        "gain": _rounded({"ndcg@10": report.gain}),
        "compared": [report.fused, report.single],
        "recommended": report.recommended,
    }


def branches_as_table(report: BranchReport) -> str:
    """One row a way to search, and what to take."""
    names = list(report.measures["dense"])
    header = ["search by"]
    for name in names:
        header += [name, "95 % interval"]
    rows = [
        [way, *(cell for name in names for cell in _cells(measures[name]))]
        for way, measures in report.measures.items()
    ]
    gain, interval = _cells(report.gain)
    verdict = "clearly better" if report.recommended == report.fused else "not clearly better"
    return "\n".join(
        [
            format_table(header, rows),
            f"{report.data}: {report.queries} queries, {report.documents} documents; measures in "
            "percent, intervals by bootstrap",
            f"{report.fused} less {report.single}, query by query: {gain} ({interval}) points of "
            f"nDCG@10, {verdict}",
            f"recommended for this data: {report.recommended}",
        ]
    )


def _cells(measured: Measured) -> tuple[str, str]:
    low, high = f"{100 * measured.low:.1f}", f"{100 * measured.high:.1f}"
    return f"{100 * measured.value:.1f}", f"{low} to {high}"


class _Bars:
    """One progress line for each variant."""

    def __init__(self) -> None:
        self._label: str | None = None
        self._bar = Progress("", None, "texts")

    def __call__(self, label: str, done: int, total: int) -> None:
        if label != self._label:
            self._label, self._bar = label, Progress(label, total, "texts")
        self._bar.update(done)
        if done == total:
            self._bar.finish()


def as_json(bundle: Path, report: EvaluationReport) -> dict[str, object]:
    """The report as one JSON object; intervals are 95 % bootstrap intervals."""
    return {
        "bundle": str(bundle),
        "data": report.data,
        "queries": report.queries,
        "documents": report.documents,
        "skipped": list(report.skipped),
        "results": [_result(result) for result in report.results],
    }


def _result(result: Result) -> dict[str, object]:
    row: dict[str, object] = {
        "variant": result.variant,
        "dim": result.slice.dim,
        "bits": result.slice.bits,
        "bytes": result.slice.nbytes,
    }
    return row | _rounded(result.measures)


def _rounded(measures: dict[str, Measured]) -> dict[str, object]:
    row: dict[str, object] = {}
    for name, measured in measures.items():
        row[name] = round(measured.value, 5)
        row[f"{name}_interval"] = [round(measured.low, 5), round(measured.high, 5)]
    return row


def as_table(report: EvaluationReport) -> str:
    """One row a variant and slice: percent, with the interval."""
    names = list(report.results[0].measures)
    header = ["variant", "slice", "bytes/vector"]
    for name in names:
        header += [name, "95 % interval"]
    rows = []
    for result in report.results:
        row = [result.variant, str(result.slice), str(result.slice.nbytes)]
        for name in names:
            row += _cells(result.measures[name])
        rows.append(row)
    counted = (
        f"{report.queries} pairs"
        if "spearman" in names
        else f"{report.queries} queries, {report.documents} documents"
    )
    lines = [
        format_table(header, rows, left=(0, 1)),
        f"{report.data}: {counted}; measures in percent, intervals by bootstrap",
    ]
    if report.skipped:
        lines.append(f"not run, since no engine is installed: {', '.join(report.skipped)}")
    return "\n".join(lines)
