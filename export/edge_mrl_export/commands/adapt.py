"""`edge-mrl adapt`: make a Matryoshka model of one that is none."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_mrl.cli.arguments import numbers
from edge_mrl.cli.output import Progress, format_table, print_json, print_text
from edge_mrl_export.adapt import AdaptOptions, AdaptReport, adapt
from edge_mrl_export.adapt.options import EPOCHS, MAX_TEXTS, SEED
from edge_mrl_export.adapt.run import MIN_TEXTS
from edge_mrl_export.commands.check import as_json as front_loading_as_json
from edge_mrl_export.commands.source_arguments import add_hub_arguments
from edge_mrl_export.commands.step_printer import StepPrinter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.description = (
        "Train a Matryoshka adapter on the vectors of a model, which itself stays as it is, and "
        "write both as one sentence-transformers folder that `edge-mrl export` takes. The adapter "
        "learns to keep the model's own neighbourhoods at every size; no labels are needed. "
        "Figures are of texts that were held out."
    )
    parser.add_argument(
        "model", help="a sentence-transformers folder, or the id of one on the Hugging Face hub"
    )
    add_hub_arguments(parser)
    parser.add_argument(
        "--texts",
        type=Path,
        required=True,
        help=f"texts like those to be searched (JSONL corpus or a text a line), {MIN_TEXTS} or "
        "more; thousands are better",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="where the new model is to stand"
    )
    parser.add_argument(
        "--dims",
        metavar="D,D,...",
        help="sizes to train, rising; default: powers of two from 32, and the model's own width",
    )
    parser.add_argument(
        "--max-texts",
        type=int,
        metavar="N",
        default=MAX_TEXTS,
        help=f"use at most so many, spread evenly over the file (default {MAX_TEXTS})",
    )
    parser.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        default=EPOCHS,
        help=f"how often each is seen (default {EPOCHS})",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        default=SEED,
        help=f"the same seed, the same model (default {SEED})",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a model folder that stands there"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    options = AdaptOptions(
        dims=numbers(arguments.dims, "sizes", "64,128,256"),
        max_texts=arguments.max_texts,
        epochs=arguments.epochs,
        seed=arguments.seed,
        overwrite=arguments.overwrite,
        revision=arguments.revision,
        trust_remote_code=arguments.trust_remote_code,
    )
    report = adapt(
        arguments.model,
        arguments.texts,
        arguments.output,
        options,
        on_step=StepPrinter(),
        on_progress=_Bars(),
    )
    if arguments.json:
        print_json(as_json(report))
    else:
        print_text(as_table(report))
    return 0


_UNITS = {"embedding": "texts", "training": "steps"}


class _Bars:
    """One progress line for each kind of work."""

    def __init__(self) -> None:
        self._what = ""
        self._bar = Progress("", None, "")

    def __call__(self, what: str, done: int, total: int) -> None:
        if what != self._what:
            self._what, self._bar = what, Progress(what, total, _UNITS[what])
        self._bar.update(done)
        if done == total:
            self._bar.finish()


def as_json(report: AdaptReport) -> dict[str, object]:
    """The report as one JSON object; shares of the ten nearest neighbours lie in 0 to 1."""
    return {
        "model": str(report.path),
        "matryoshka_dims": list(report.dims),
        "texts": {"train": report.train, "held_out": report.held_out},
        "seconds": round(report.seconds, 1),
        **{
            name: {
                "neighbours_kept": {
                    str(dim): round(share, 5) for dim, share in figures.kept.items()
                },
                "front_loading": front_loading_as_json(figures.front_loading),
            }
            for name, figures in (("before", report.before), ("after", report.after))
        },
    }


def as_table(report: AdaptReport) -> str:
    """One row a size: the share of held-out neighbours that it keeps, before and after."""
    rows = [
        [
            str(dim),
            f"{100 * before:.1f} %",
            f"{100 * report.after.kept[dim]:.1f} %",
            f"{100 * (report.after.kept[dim] - before):+.1f}",
        ]
        for dim, before in report.before.kept.items()
    ]
    table = format_table(["first numbers", "before", "after", "points"], rows)
    return (
        f"{table}\n"
        f"share of the model's own ten nearest neighbours found by the first numbers alone, among "
        f"{report.held_out} held-out texts\n"
        f"before: {report.before.front_loading.in_words()}\n"
        f"after: {report.after.front_loading.in_words()}\n"
        f"{report.path}: trained on {report.train} texts in {report.seconds:.0f} s; next: "
        f"edge-mrl export {report.path} -o BUNDLE"
    )
