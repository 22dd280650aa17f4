"""``python -m emulation --wheels FOLDER``: make roots, run checks, say what came of it.
`scripts/emulate-pi` calls it with everything that it needs installed."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from emulation import checks, command, material
from emulation.boards import BOARDS, Board, board
from emulation.guest import Guest
from emulation.roots import RECIPES, Root, cache_folder, make_root


def main(arguments: Sequence[str]) -> int:
    """Run it; returns the exit code: 1 where a check failed."""
    parser = argparse.ArgumentParser(prog="emulate-pi", description=__doc__)
    parser.add_argument("bundles", nargs="+", type=Path, help="bundles; one must have a table")
    parser.add_argument("--wheels", type=Path, required=True, help="what scripts/build-wheels made")
    cpus = [one.cpu for one in BOARDS]
    parser.add_argument("--cpu", nargs="+", choices=cpus, default=cpus)
    parser.add_argument("--short", action="store_true", help="no engines, no transformer")
    parser.add_argument("--verbose", action="store_true", help="show what the boards said")
    given = parser.parse_args(arguments)
    boards = [board(cpu) for cpu in given.cpu]
    fine = True
    with tempfile.TemporaryDirectory(prefix="boards-") as scratch:
        work = Path(scratch)
        material.write_all(given.bundles, work)
        checks.copy_checks(work)
        for name in dict.fromkeys(one.root for one in boards):
            root = _root(name)
            fine = _check(root, [one for one in boards if one.root == name], work, given) and fine
    return 0 if fine else 1


def _root(name: str) -> Root:
    began = time.monotonic()
    root = make_root(RECIPES[name], cache_folder())
    print(f"{name}: root ready after {time.monotonic() - began:.0f} s")
    for install, _ in root.recipe.installs:
        sizes = root.download_bytes(install)
        parts = ", ".join(f"{package} {size / 1e6:.1f}" for package, size in sizes.items())
        installed = root.installed_bytes(install) / 1e6
        total = sum(sizes.values()) / 1e6
        print(
            f"  {install}: {len(sizes)} wheels, {total:.1f} MB, {installed:.1f} installed: {parts}"
        )
    return root


def _check(root: Root, boards: Sequence[Board], work: Path, given: argparse.Namespace) -> bool:
    began = time.monotonic()
    wheel = checks.install_wheel(Guest(root, boards[0], work), given.wheels)
    print(f"  its pip installs {wheel} ({time.monotonic() - began:.0f} s)")
    fine = True
    for outcome in checks.check(root, boards, work, short=given.short):
        print(
            f"{'ok' if outcome.passed else 'FAILED':6}  {outcome.board.cpu:10}  "
            f"{outcome.install:6}  {outcome.summary}  ({outcome.seconds:.0f} s)",
            flush=True,
        )
        if given.verbose or not outcome.passed:
            print(outcome.output)
        fine = fine and outcome.passed
    return fine


if __name__ == "__main__":
    command.run(main)
