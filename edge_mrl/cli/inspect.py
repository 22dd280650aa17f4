"""`edge-mrl inspect`: what a bundle holds, and what each slice costs and keeps."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from edge_mrl.bundle import Bundle, Manifest
from edge_mrl.bundle.manifest_json import dump
from edge_mrl.cli.output import format_bytes, format_table, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("bundle", type=Path, help="the bundle folder")
    parser.add_argument("--json", action="store_true", help="print the manifest as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    bundle = Bundle.open(arguments.bundle)
    if arguments.json:
        print_json(json.loads(dump(bundle.manifest)))
        return 0
    print(describe(bundle.manifest))
    print()
    print(variant_table(bundle))
    print()
    print(slice_table(bundle.manifest))
    return 0


def describe(manifest: Manifest) -> str:
    """A few lines about the model."""
    model, embedding = manifest.model, manifest.embedding
    longest = manifest.tokenizer.max_tokens
    prompts = ", ".join(name for name, text in embedding.prompts.items() if text)
    return "\n".join(
        [
            f"{model.name}: {model.architecture}, from {model.source}, licence {model.licence}",
            f"identity {model.identity[:16]}, {embedding.dim} dimensions, trained sizes "
            f"{', '.join(map(str, embedding.matryoshka_dims))}, {embedding.similarity} similarity",
            f"reads {'texts of any length' if longest is None else f'{longest} tokens of a text'}; "
            "prompts: "
            f"{prompts or 'none'}",
        ]
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
        ]
        for variant in bundle.manifest.variants
    ]
    return format_table(
        ["variant", "with tokenizer", "sizes", "cosine mean", "min"], rows, left=(0, 2)
    )


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
