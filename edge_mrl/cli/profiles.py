"""`edge-mrl profiles`: list the devices that are described, or show one with its sources."""

from __future__ import annotations

import argparse
import dataclasses
import textwrap

from edge_mrl.cli.output import format_bytes, format_table, print_json
from edge_mrl.planning import DeviceProfile, list_profiles, load_profile

SHEET_WIDTH = 100
"""Characters of a line of sources."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser this command's arguments."""
    parser.add_argument(
        "name", nargs="?", help="a device's name or a .toml file; without it, all are listed"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """List the profiles, or show one."""
    profiles = (load_profile(arguments.name),) if arguments.name else list_profiles()
    if arguments.json:
        print_json({"profiles": [_document(profile) for profile in profiles]})
    elif arguments.name:
        print(_sheet(profiles[0]))
    else:
        print(_table(profiles))
    return 0


def _table(profiles: tuple[DeviceProfile, ...]) -> str:
    header = (
        "name",
        "cores",
        "memory",
        "read",
        "random read",
        "engines",
        "for search",
        "storage",
        "latency",
        "kept",
    )
    rows = [
        (
            profile.name,
            str(profile.facts.cores),
            format_bytes(profile.facts.memory_bytes),
            f"{profile.facts.memory_read / 1e9:.1f} GB/s",
            f"{profile.facts.storage_random_read * 1e3:.2f} ms",
            ", ".join(profile.facts.backends),
            format_bytes(profile.budgets.memory_bytes),
            format_bytes(profile.budgets.storage_bytes),
            f"{profile.budgets.query_latency * 1e3:.0f} ms",
            f"{profile.budgets.quality_kept:.0%}",
        )
        for profile in profiles
    ]
    note = "The last four columns are budgets. `edge-mrl profiles NAME` shows every source."
    return f"{format_table(header, rows, left=(0, 5))}\n\n{note}"


def _sheet(profile: DeviceProfile) -> str:
    lines = [f"{profile.name}: {profile.title}"]
    width = max(len(figure.field) for figure in profile.figures)
    for figure in profile.figures:
        value = f"{figure.value} {figure.unit}".rstrip()
        estimate = "  (estimate)" if figure.estimate else ""
        lines += ["", f"{figure.field.ljust(width)}  {value}{estimate}"]
        lines += textwrap.wrap(
            figure.source, SHEET_WIDTH, initial_indent="    ", subsequent_indent="    "
        )
    return "\n".join(lines)


def _document(profile: DeviceProfile) -> dict[str, object]:
    return {
        "name": profile.name,
        "title": profile.title,
        "facts": dataclasses.asdict(profile.facts),
        "budgets": dataclasses.asdict(profile.budgets),
        "figures": [dataclasses.asdict(figure) for figure in profile.figures],
    }
