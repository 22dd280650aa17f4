"""`edge-mrl verify`: check every file of a bundle, then run every variant whose engine is
installed."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_mrl.backends import available
from edge_mrl.bundle import Bundle
from edge_mrl.cli.output import format_table, print_json, print_text
from edge_mrl.encoder import Encoder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("bundle", type=Path, help="the bundle folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    bundle = Bundle.open(arguments.bundle)
    bundle.check_all()
    unlisted = bundle.unlisted()
    rows = []
    for variant in bundle.manifest.variants:
        cosine = None
        if available(variant):
            cosine = Encoder.load(arguments.bundle, variant=variant.name, self_test=False).verify()
        rows.append({"variant": variant.name, "ran": cosine is not None, "cosine": cosine})
    if arguments.json:
        print_json(
            {
                "bundle": str(arguments.bundle),
                "files": len(bundle.manifest.files),
                "unlisted": unlisted,
                "variants": rows,
            }
        )
        return 0
    count = len(bundle.manifest.files)
    print_text(f"{count} files have the sizes and hashes that the manifest says.")
    if unlisted:
        named = ", ".join(unlisted[:5]) + (", ..." if len(unlisted) > 5 else "")
        print_text(f"Not in the manifest, so never checked or read: {named}")
    cells = [
        [
            str(row["variant"]),
            "-" if row["cosine"] is None else f"{row['cosine']:.6f}",
            "yes" if row["ran"] else "no engine",
        ]
        for row in rows
    ]
    print_text(format_table(["variant", "cosine with fp32", "ran"], cells, left=(0, 2)))
    return 0
