"""`edge-mrl check`: is it a Matryoshka model at all?"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edge_mrl.cli.arguments import numbers
from edge_mrl.cli.output import format_table, print_json, print_text
from edge_mrl.errors import ExportError, SizesNotRecordedError
from edge_mrl_export.commands.source_arguments import SOURCE_HELP, add_hub_arguments
from edge_mrl_export.commands.step_printer import StepPrinter
from edge_mrl_export.front_loading import (
    MAX_TEXTS,
    MIN_GAIN,
    MIN_TEXTS,
    MIN_Z,
    FrontLoading,
    measure_front_loading,
)
from edge_mrl_export.model import Source
from edge_mrl_export.options import ExportOptions
from edge_mrl_export.sample import default_sample, evenly, texts_from_file
from edge_mrl_export.sources import open_source

WHAT_IT_SEES = (
    "The test sees whether the first coordinates are worth more than others, not how the model "
    "was trained: vectors turned to their principal axes pass too."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.description = (
        "Compare prefixes of the model's vectors with random choices of as many coordinates: how "
        f"many of a text's ten nearest neighbours they keep. {WHAT_IT_SEES} Exit code 1 where "
        "the model is not front-loaded."
    )
    parser.add_argument("model", help=SOURCE_HELP)
    add_hub_arguments(parser)
    parser.add_argument(
        "--texts",
        type=Path,
        help=f"texts to compare (JSONL corpus or a text a line), {MIN_TEXTS} or more; "
        "default: the Python standard library's documentation",
    )
    parser.add_argument(
        "--dims",
        metavar="D,D,...",
        help="the trained sizes, where the model's files do not record them; default there: a "
        "quarter and a half of its width",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    options = ExportOptions(
        dims=numbers(arguments.dims, "sizes", "64,128,256"),
        revision=arguments.revision,
        trust_remote_code=arguments.trust_remote_code,
    )
    on_step = StepPrinter()
    on_step(f"reading {arguments.model}")
    model = _opened(arguments.model, options, on_step)
    description = model.describe()
    path: Path | None = arguments.texts
    texts = texts_from_file(path) if path else list(default_sample().documents)
    chosen = evenly([text for text in dict.fromkeys(texts) if text.strip()], MAX_TEXTS)
    if len(chosen) < MIN_TEXTS:
        raise ExportError(
            f"{path} has {len(chosen)} different texts, and {MIN_TEXTS} are needed: give a longer "
            "file with --texts"
        )
    on_step(f"vectors of {len(chosen)} texts")
    vectors = model.reference(chosen)
    on_step("comparing prefixes with random coordinates")
    outcome = measure_front_loading(vectors, description.matryoshka_dims)
    if arguments.json:
        print_json({"model": description.name, **as_json(outcome)})
    else:
        print_text(as_table(description.name, outcome))
    return int(outcome.refused)


def _opened(name: str, options: ExportOptions, on_step: Callable[[str], None]) -> Source:
    """The model; at a quarter and a half of its width where nobody says for which sizes it was
    trained, since then the question is open most of all."""
    try:
        return open_source(name, options)
    except SizesNotRecordedError as unknown:
        on_step("the model's files record no trained sizes: a quarter and a half are compared")
        sizes = sorted({max(1, unknown.dim // 4), max(1, unknown.dim // 2), unknown.dim})
        return open_source(name, replace(options, dims=tuple(sizes)))


def as_json(outcome: FrontLoading) -> dict[str, object]:
    """The outcome as one JSON object; shares of the ten nearest neighbours lie in 0 to 1."""
    return {
        "verdict": outcome.verdict,
        "texts": outcome.texts,
        "dim": outcome.dim,
        "depths": [
            {
                "dim": depth.dim,
                "prefix": round(depth.prefix, 5),
                "random": round(depth.random, 5),
                "spread": round(depth.spread, 5),
                "gain": round(depth.gain, 5),
                "z": round(depth.z, 3),
                "passed": depth.passed,
            }
            for depth in outcome.depths
        ],
    }


def as_table(name: str, outcome: FrontLoading) -> str:
    """One row a prefix length, and the verdict."""
    if not outcome.depths:
        return f"{name}: {outcome.in_words()}"
    rows = [
        [
            f"{depth.dim} of {outcome.dim}",
            f"{100 * depth.prefix:.1f} %",
            f"{100 * depth.random:.1f} %",
            f"{100 * depth.spread:.1f} %",
            f"{100 * depth.gain:+.1f} %",
            f"{depth.z:.1f}",
            "passed" if depth.passed else "failed",
        ]
        for depth in outcome.depths
    ]
    header = ["coordinates", "the first keep", "random keep", "spread", "gain", "z", ""]
    return (
        f"{format_table(header, rows, left=(0, 6))}\n"
        f"{name}: {outcome.verdict}; shares of the ten nearest neighbours among {outcome.texts} "
        f"texts, needed at each: gain {100 * MIN_GAIN:+.0f} % and z = {MIN_Z:g}\n{WHAT_IT_SEES}"
    )
