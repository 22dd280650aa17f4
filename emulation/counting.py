"""``python -m emulation.counting --wheels FOLDER``: instructions of embeddings and searches as a
table, or what changed against the table of a file. `scripts/emulate-pi --count` calls it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edge_mrl.bundle import Bundle
from emulation import checks, command, instructions, material
from emulation.boards import board
from emulation.guest import Guest
from emulation.roots import RECIPES, cache_folder, make_root

CPUS = ("cortex-a53", "cortex-a76")
ROOT = "bookworm-arm64"
"""One system for all, so that only the processor differs."""

TOLERANCE = 0.02
INSTALLS = {"table": "static", "tflite": "litert", "onnx": "onnx"}


def main(arguments: Sequence[str]) -> int:
    """Run it; returns the exit code: 1 where something changed."""
    parser = argparse.ArgumentParser(prog="emulate-pi --count", description=__doc__)
    parser.add_argument("bundles", nargs="+", type=Path, help="bundles; one must have a table")
    parser.add_argument("--wheels", type=Path, required=True, help="what scripts/build-wheels made")
    parser.add_argument("--against", type=Path, help="a file with an earlier table")
    parser.add_argument("--short", action="store_true", help="no transformer")
    given = parser.parse_args(arguments)
    root = make_root(RECIPES[ROOT], cache_folder())
    with tempfile.TemporaryDirectory(prefix="boards-") as scratch:
        work = Path(scratch)
        material.write_all(given.bundles, work)
        checks.copy_checks(work)
        guests = [Guest(root, board(cpu), work) for cpu in CPUS]
        checks.install_wheel(guests[0], given.wheels)
        counting = instructions.prepare(work, root.recipe.machine)
        rows = []
        for item in _works(given.bundles, given.short):
            rows.append((item.name, instructions.count(guests, counting, item)))
            print(f"{item.name}: {rows[-1][1]}", file=sys.stderr, flush=True)
    made = instructions.table(rows, CPUS)
    print(made)
    if given.against is None:
        return 0
    before = instructions.parse(given.against.read_text())
    said = instructions.changes(before, instructions.parse(made), TOLERANCE)
    print("\n".join(said) or f"nothing changed by more than {TOLERANCE:.0%}")
    return 1 if said else 0


def _works(bundles: Sequence[Path], short: bool) -> list[instructions.Work]:
    works = []
    for number, path in enumerate(bundles):
        manifest = Bundle.open(path).manifest
        kept = set()
        static = any(variant.format == "table" for variant in manifest.variants)
        for variant in manifest.variants:
            # Of the tables one is enough; fp32 is no variant for a board.
            kind = (variant.format, variant.precision)
            if kind in kept or variant.precision == "fp32" or (short and variant.format != "table"):
                continue
            kept.add(kind)
            works.append(
                instructions.embedding(
                    f"{path.name}, {variant.name}",
                    INSTALLS[variant.format],
                    material.name_of(number, path),
                    variant.name,
                    transformer=not static,
                )
            )
    return [*works, *(instructions.searching(bits) for bits in material.SCAN_BITS)]


if __name__ == "__main__":
    command.run(main)
