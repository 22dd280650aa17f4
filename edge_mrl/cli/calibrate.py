"""`edge-mrl calibrate`: measure this device and write a profile that plans for it can rest on."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_mrl.calibration import Calibration, calibrate
from edge_mrl.cli.output import Progress, print_json, print_text
from edge_mrl.planning.words import milliseconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("bundle", type=Path, nargs="?", help="a bundle whose variants to time too")
    parser.add_argument(
        "--folder", type=Path, help="where indexes will stand: that storage is measured"
    )
    parser.add_argument(
        "--force", action="store_true", help="measure a busy machine too, and mark the profile"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    progress = Progress("calibrating", None, "steps")

    def update(done: int, steps: int) -> None:
        progress.total = steps
        progress.update(done)

    found = calibrate(
        arguments.bundle, folder=arguments.folder, force=arguments.force, on_progress=update
    )
    progress.finish()
    if arguments.json:
        print_json(_document(found))
    else:
        print_text(_lines(found))
    return 0


def _document(found: Calibration) -> dict[str, object]:
    measured = found.measured
    return {
        "profile": found.name,
        "place": str(found.place),
        "seconds": round(found.seconds, 2),
        "spread": round(found.spread, 4),
        "busy": found.busy,
        "memory_read_bytes_per_second": round(measured.memory_read),
        "storage_random_read_ms": round(1e3 * measured.storage_random_read, 5),
        "storage_sequential_read_bytes_per_second": round(measured.storage_sequential_read),
        "core_speed": round(measured.core_speed, 4),
        "scan_speed": round(measured.scan_speed, 4),
        "search_base_ms": round(1e3 * measured.search_base, 5),
        "row_read_ms": round(1e3 * measured.row_read, 7),
        "row_held_ms": round(1e3 * measured.row_held, 7),
        "encoders": [
            {
                "variant": one.variant,
                "identity": one.identity,
                "ms": {f"{tokens}": round(1e3 * spent, 4) for tokens, spent in one.seconds},
            }
            for one in measured.encoders
        ],
    }


def _lines(found: Calibration) -> str:
    measured = found.measured
    lines = [
        f"{found.name}, written to {found.place}",
        f"memory: one core reads {measured.memory_read / 1e9:.1f} GB/s",
        f"storage: {milliseconds(1e3 * measured.storage_random_read)} a random read, "
        f"{measured.storage_sequential_read / 1e6:.0f} MB/s in a row",
        f"speed of a core: {measured.core_speed:.2f} of the reference machine, of the scan "
        f"{measured.scan_speed:.2f}",
        f"a search besides its scan: {milliseconds(1e3 * measured.search_base)}, and "
        f"{1e6 * measured.row_read:.2f} us for a row reread, {1e6 * measured.row_held:.2f} us for "
        "one held in memory",
    ]
    for one in measured.encoders:
        times = ", ".join(f"{tokens}: {milliseconds(1e3 * spent)}" for tokens, spent in one.seconds)
        lines.append(f"{one.variant}, by tokens: {times}")
    if found.busy is not None:
        lines.append(f"Measured under load, and marked so: {found.busy}.")
    lines.append("`--profile auto` now plans with these figures.")
    return "\n".join(lines)
