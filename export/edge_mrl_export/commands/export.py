"""`edge-mrl export`: a trained Matryoshka model in, a verified bundle out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from edge_mrl.bundle import Bundle
from edge_mrl.bundle.manifest import Precision, VariantFormat
from edge_mrl.cli.arguments import numbers
from edge_mrl.cli.inspect import describe, quality_tables
from edge_mrl.cli.output import format_bytes, format_table, print_json, print_text
from edge_mrl_export.commands.check import as_json as front_loading_as_json
from edge_mrl_export.commands.source_arguments import SOURCE_HELP, add_hub_arguments
from edge_mrl_export.commands.step_printer import StepPrinter
from edge_mrl_export.gates import TokenMeasures
from edge_mrl_export.graphs.head import NEWEST_OPSET, OPSET
from edge_mrl_export.options import ExportOptions
from edge_mrl_export.pipeline import export
from edge_mrl_export.report import ExportReport, VariantReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("source", help=SOURCE_HELP)
    add_hub_arguments(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="where the bundle is to stand"
    )
    parser.add_argument(
        "--formats",
        nargs="+",
        choices=get_args(VariantFormat),
        metavar="F",
        help=f"{', '.join(get_args(VariantFormat))} (default, with --precision: of a transformer "
        "TFLite int8-fast and ONNX int8-fast, int8-portable and fp32; of a static model tables and "
        "ONNX, both int8-portable)",
    )
    parser.add_argument(
        "--precision",
        nargs="+",
        choices=get_args(Precision),
        metavar="P",
        help=", ".join(get_args(Precision)),
    )
    parser.add_argument(
        "--dims",
        metavar="D,D,...",
        help="the trained sizes, where the model's files do not record them",
    )
    parser.add_argument(
        "--sequence-lengths",
        metavar="N,N,...",
        help="TFLite: tokens per signature (default 16,64,256 and the model's own limit)",
    )
    parser.add_argument(
        "--layers",
        type=int,
        metavar="N",
        help="keep the first N layers, of a model trained in both directions (2D Matryoshka)",
    )
    parser.add_argument(
        "--opset",
        type=int,
        help=f"ONNX operator set, {OPSET} (default) to {NEWEST_OPSET}",
    )
    parser.add_argument(
        "--token-vectors",
        action="store_true",
        help="also give a vector for each token, for late interaction (MaxSim)",
    )
    parser.add_argument("--licence", help="the model's licence, where its files do not say")
    parser.add_argument(
        "--texts",
        type=Path,
        help="your own texts (JSONL corpus or a text a line) to measure slices on",
    )
    parser.add_argument(
        "--eval",
        type=Path,
        metavar="FOLDER",
        help="labelled data in BEIR's layout (corpus.jsonl, queries.jsonl, qrels/test.tsv) to "
        "measure every variant and slice on, instead of on texts that nobody judged",
    )
    parser.add_argument(
        "--allow",
        action="store_true",
        help="keep a variant that misses its gate, marked as such; without it, it is not written",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a bundle that stands there"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse a model whose first coordinates are not shown to be worth more than others "
        "(see `edge-mrl check`); without it, warn",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    options = ExportOptions(
        formats=tuple(arguments.formats) if arguments.formats else None,
        precisions=tuple(arguments.precision) if arguments.precision else None,
        dims=numbers(arguments.dims, "sizes", "64,128,256"),
        sequence_lengths=numbers(arguments.sequence_lengths, "sequence lengths", "16,64,256"),
        licence=arguments.licence,
        texts=arguments.texts,
        overwrite=arguments.overwrite,
        strict=arguments.strict,
        revision=arguments.revision,
        trust_remote_code=arguments.trust_remote_code,
        layers=arguments.layers,
        eval=arguments.eval,
        allow=arguments.allow,
        opset=arguments.opset,
        token_vectors=arguments.token_vectors,
    )
    report = export(arguments.source, arguments.output, options, on_step=StepPrinter())
    if arguments.json:
        print_json(report_as_json(report))
    else:
        print_text(describe(report.manifest))
        print_text()
        print_text(report_table(report))
        print_text(report.front_loading.in_words())
        print_text()
        print_text(quality_tables(report.manifest))
        size = sum(entry.size for entry in report.manifest.files)
        print_text(
            f"\n{report.path}: {format_bytes(size)} in {len(report.manifest.files)} files, "
            f"{report.seconds:.1f} s"
        )
    return 0


def report_table(report: ExportReport) -> str:
    """One row a variant: size, cosine and neighbour overlap at the smallest and largest slice, and
    the verdict."""
    rows = []
    for variant in report.variants:
        small, large = min(variant.cosine), max(variant.cosine)
        rows.append(
            [
                variant.name,
                format_bytes(variant.size),
                f"{variant.cosine[small]:.5f}",
                f"{variant.cosine[large]:.5f}",
                f"{variant.overlap_at_10[large]:.3f}",
                f"{variant.gate:g}",
                variant.verdict,
            ]
        )
    header = [
        "variant",
        "with tokenizer",
        "cosine, smallest",
        "largest slice",
        "overlap@10",
        "gate",
        "",
    ]
    lines = [
        format_table(header, rows, left=(0, 6)),
        f"compared with {report.reference}, through the device runtime",
        *(
            f"token vectors of {one.name}: cosine {min(one.tokens.cosine.values()):.5f}, worst "
            f"token {one.tokens.cosine_min:.5f}"
            for one in report.variants
            if one.tokens is not None
        ),
        *(
            f"{one.name} is {one.verdict}: {one.why_refused()}"
            for one in report.variants
            if not one.passed
        ),
    ]
    return "\n".join(lines)


def report_as_json(report: ExportReport) -> dict[str, object]:
    """The report as one JSON object."""
    return {
        "bundle": str(report.path),
        "seconds": round(report.seconds, 2),
        "bytes": sum(entry.size for entry in Bundle.open(report.path).manifest.files),
        "model": report.manifest.model.name,
        "identity": report.manifest.model.identity,
        "matryoshka_dims": list(report.manifest.embedding.matryoshka_dims),
        "reference": report.reference,
        "front_loading": front_loading_as_json(report.front_loading),
        "variants": [_variant_as_json(variant) for variant in report.variants],
    }


def _variant_as_json(variant: VariantReport) -> dict[str, object]:
    return {
        "name": variant.name,
        "format": variant.format,
        "precision": variant.precision,
        "bytes": variant.size,
        "cosine": {str(dim): value for dim, value in variant.cosine.items()},
        "cosine_min": variant.cosine_min,
        "overlap@10": {str(dim): value for dim, value in variant.overlap_at_10.items()},
        "batch_difference": variant.batch_difference,
        "padding_difference": variant.padding_difference,
        "gate": variant.gate,
        "reason": variant.reason,
        "gate_golden_cosine": variant.rank_gate.golden_cosine,
        "gate_overlap@10": variant.rank_gate.overlap_at_10,
        "token_vectors": None if variant.tokens is None else _tokens_as_json(variant.tokens),
        "missed": list(variant.missed),
        "passed": variant.passed,
        "verdict": variant.verdict,
    }


def _tokens_as_json(found: TokenMeasures) -> dict[str, object]:
    return {
        "cosine": {str(dim): value for dim, value in found.cosine.items()},
        "cosine_min": found.cosine_min,
        "batch_difference": found.difference,
    }
