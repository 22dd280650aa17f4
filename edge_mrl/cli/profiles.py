"""`edge-mrl profiles`: list the devices that are described, or show one with its sources."""

from __future__ import annotations

import argparse
import dataclasses
import textwrap
from pathlib import Path

from edge_mrl.backends import installed_engines
from edge_mrl.cli.output import format_bytes, format_table, print_json, print_left_out, print_text
from edge_mrl.errors import ProfileError
from edge_mrl.planning import DeviceProfile, list_profiles, load_profile
from edge_mrl.profiles.files import shipped_profile_folder
from edge_mrl.profiles.user_folder import user_profile_folder

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
    profiles: tuple[DeviceProfile, ...]
    wrong: list[ProfileError] = []
    if arguments.name:
        profiles = (load_profile(arguments.name, engines=installed_engines()),)
    else:
        profiles = list_profiles(wrong.append)
    if arguments.json:
        print_json(
            {
                "profiles": [_document(profile) for profile in profiles],
                "left_out": [str(error) for error in wrong],
            }
        )
    elif arguments.name:
        print_text(_sheet(profiles[0]))
    else:
        print_text(f"{_table(profiles)}\n\n{_places(profiles)}")
        for error in wrong:
            print_left_out(error)
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
            ", ".join(profile.facts.engines),
            format_bytes(profile.budgets.memory_bytes),
            format_bytes(profile.budgets.storage_bytes),
            f"{profile.budgets.query_latency * 1e3:.0f} ms",
            f"{profile.budgets.quality_kept:.0%}",
        )
        for profile in profiles
    ]
    note = "The last four columns are budgets. `edge-mrl profiles NAME` shows every source."
    return f"{format_table(header, rows, left=(0, 5))}\n\n{note}"


def _places(profiles: tuple[DeviceProfile, ...]) -> str:
    """Where the files stand, and where one's own would be found."""
    shipped = shipped_profile_folder()
    lines = [f"Shipped ones stand in {shipped}."]
    own = [profile for profile in profiles if Path(profile.place).parent != shipped]
    lines += [f"{profile.name} is your own: {profile.place}" for profile in own]
    folder = user_profile_folder()
    if folder is not None and not own:
        lines.append(f"Your own are found in {folder}.")
    return "\n".join(lines)


def _sheet(profile: DeviceProfile) -> str:
    lines = [f"{profile.name}: {profile.title}", profile.place]
    if profile.extends:
        lines.append(f"extends {profile.extends}; what is taken over is marked with its profile")
    width = max(len(figure.field) for figure in profile.figures)
    for figure in profile.figures:
        value = f"{figure.value} {figure.unit}".rstrip()
        notes = ["estimate"] if figure.estimate else []
        if figure.origin != profile.name:
            notes.append(f"from {figure.origin}")
        note = f"  ({', '.join(notes)})" if notes else ""
        lines += ["", f"{figure.field.ljust(width)}  {value}{note}"]
        lines += textwrap.wrap(
            figure.source, SHEET_WIDTH, initial_indent="    ", subsequent_indent="    "
        )
    return "\n".join(lines)


def _document(profile: DeviceProfile) -> dict[str, object]:
    return {
        "name": profile.name,
        "title": profile.title,
        "extends": profile.extends,
        "place": profile.place,
        "facts": dataclasses.asdict(profile.facts),
        "budgets": dataclasses.asdict(profile.budgets),
        "figures": [dataclasses.asdict(figure) for figure in profile.figures],
    }
