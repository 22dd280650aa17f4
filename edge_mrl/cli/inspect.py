"""`edge-mrl inspect`: what a bundle holds, and what each slice costs and keeps."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from edge_mrl.bundle import Bundle, Manifest
from edge_mrl.bundle.manifest import Estimate, LateInteraction
from edge_mrl.bundle.manifest_json import dump
from edge_mrl.cli import drawing
from edge_mrl.cli.output import format_bytes, format_table, print_json, print_text
from edge_mrl.cli.quality_plot import quality_drawing
from edge_mrl.errors import InputError
from edge_mrl.planning.token_cost import TYPICAL_TOKENS, token_costs

SHOWN_BITS = (4, 32)
"""What a scan reads, and what a variant itself is worth."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("bundle", type=Path, help="the bundle folder")
    parser.add_argument("--json", action="store_true", help="print the manifest as one JSON object")
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="draw what each slice keeps against its bytes: an .svg file, or a .png file, which "
        "needs `edge-mrl[png]`",
    )


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    if arguments.plot is not None:
        drawing.check_name(arguments.plot)
    bundle = Bundle.open(arguments.bundle)
    if arguments.plot is not None:
        if not bundle.manifest.quality.slices:
            raise InputError(
                f"{arguments.bundle} does not say what its slices keep, so there is nothing to "
                "draw: `edge-mrl eval` measures it"
            )
        drawing.write(arguments.plot, quality_drawing(bundle.manifest))
    if arguments.json:
        print_json(json.loads(dump(bundle.manifest)))
        return 0
    print_text(describe(bundle.manifest))
    print_text()
    print_text(variant_table(bundle))
    print_text()
    if bundle.manifest.has_token_vectors:
        print_text(token_table(bundle.manifest))
        print_text()
    print_text(quality_tables(bundle.manifest))
    return 0


def describe(manifest: Manifest) -> str:
    """A few lines about the model."""
    model, embedding = manifest.model, manifest.embedding
    longest = manifest.tokenizer.max_tokens
    prompts = ", ".join(name for name, text in embedding.prompts.items() if text)
    late = embedding.late_interaction
    return "\n".join(
        [
            f"{model.name}: {model.architecture}, from {model.source}, licence {model.licence}",
            f"identity {model.identity[:16]}, {embedding.dim} dimensions, trained sizes "
            f"{', '.join(map(str, embedding.matryoshka_dims))}, {embedding.similarity} similarity",
            f"reads {'texts of any length' if longest is None else f'{longest} tokens of a text'}; "
            "prompts: "
            f"{prompts or 'none'}",
            *([] if late is None else [in_words(late)]),
        ]
    )


def in_words(late: LateInteraction) -> str:
    """How a model of late interaction reads its texts, in a line."""
    filled = "" if late.fill_id is None else ", shorter ones filled up"
    return (
        f"late interaction: queries of {late.query_tokens} tokens{filled}; documents of "
        f"{late.document_tokens}, without vectors for {len(late.skipped_ids)} of its tokens; the "
        "vector of a text is the mean of its tokens'"
    )


def variant_table(bundle: Bundle) -> str:
    """One row a variant: its size with the tokenizer, and how near it came to fp32."""
    rows = [
        [
            variant.name,
            format_bytes(bundle.size(variant)),
            ", ".join(map(str, variant.dims)),
            f"{variant.gate.cosine_mean:.5f}",
            f"{variant.gate.cosine_min:.5f}",
            "below its gate" if variant.gate.missed else "",
        ]
        for variant in bundle.manifest.variants
    ]
    table = format_table(
        ["variant", "with tokenizer", "sizes", "cosine mean", "min", ""], rows, left=(0, 2, 5)
    )
    notes = [
        f"{variant.name} was kept below its gate: {variant.gate.missed}"
        for variant in bundle.manifest.variants
        if variant.gate.missed
    ]
    return "\n".join([table, *notes])


def token_table(manifest: Manifest) -> str:
    """Which variants give token vectors, and one row a slice of them: what it takes."""
    having = [one for one in manifest.variants if one.token_vectors is not None]
    named = ", ".join(
        f"{one.name} (cosine {one.token_vectors.cosine_mean:.5f}, "
        f"min {one.token_vectors.cosine_min:.5f})"
        for one in having
        if one.token_vectors is not None
    )
    rows = [
        [str(cost.slice), str(cost.token_bytes), format_bytes(cost.document_bytes)]
        for cost in token_costs([dim for one in having for dim in one.dims])
    ]
    header = ["token slice", "bytes/token", f"a document of {TYPICAL_TOKENS} tokens"]
    return f"token vectors: {named}\n{format_table(header, rows)}"


def quality_tables(manifest: Manifest) -> str:
    """What slices keep; also what variants and layers keep, where that was measured."""
    parts = [slice_table(manifest)]
    if manifest.quality.variants:
        parts.append(judged_table(manifest))
    if manifest.quality.layers:
        parts.append(layer_table(manifest))
    return "\n\n".join(parts)


def judged_table(manifest: Manifest) -> str:
    """One row a variant and size: nDCG@10 and recall@100 in float32 and at four bits."""
    rows = [
        [
            one.variant,
            str(one.slice),
            _with_interval(one.ndcg_at_10),
            _with_interval(one.recall_at_100),
        ]
        for one in manifest.quality.variants
        if one.slice.bits in SHOWN_BITS
    ]
    table = format_table(["variant", "slice", "nDCG@10", "recall@100"], rows, left=(0, 1))
    return f"{table}\nwith 95 % intervals; --json has every number of bits"


def layer_table(manifest: Manifest) -> str:
    """One row a number of layers and size."""
    rows = [
        [str(one.layers), str(one.dim), f"{one.ndcg_at_10:.3f}", f"{100 * one.kept:.1f} %"]
        for one in manifest.quality.layers
    ]
    layers = [one.layers for one in manifest.quality.layers]
    return (
        f"{format_table(['layers', 'size', 'nDCG@10', 'kept'], rows)}\n"
        f"the bundle holds the first {min(layers)} of {max(layers)} layers; measured in float32 "
        "on self-labelled texts"
    )


def _with_interval(one: Estimate) -> str:
    return f"{100 * one.value:.1f} ({100 * one.low:.1f} to {100 * one.high:.1f})"


def slice_table(manifest: Manifest) -> str:
    """One row a slice: what a vector costs, what retrieval keeps, and how long a shortlist a scan
    at it needs."""
    quality = manifest.quality
    rows = [
        [
            str(row.slice),
            str(row.slice.nbytes),
            f"{row.ndcg_at_10:.3f}",
            f"{100 * row.kept:.1f} %",
            str(row.shortlist),
        ]
        for row in quality.slices
    ]
    table = format_table(["slice", "bytes/vector", "nDCG@10", "kept", "shortlist"], rows)
    return f"{table}\n{quality.queries} queries on {quality.documents} documents; {quality.method}"
