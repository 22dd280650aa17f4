"""`edge-mrl demo`: the whole path on real input that every machine has."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from edge_mrl.cli.output import print_json
from edge_mrl_export.demo import run_demo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument(
        "--dir", type=Path, default=None, help="where bundle and indexes are kept between runs"
    )
    parser.add_argument("--fresh", action="store_true", help="make bundle and indexes anew")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object at the end, and nothing else"
    )


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    result = run_demo(arguments.dir or _cache_folder(), fresh=arguments.fresh, quiet=arguments.json)
    if arguments.json:
        print_json(result)
    return 0


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "edge-mrl" / "demo"
