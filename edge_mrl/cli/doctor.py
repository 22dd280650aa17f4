"""`edge-mrl doctor`: what this device can run, tried for real."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from edge_mrl.bundle import Bundle
from edge_mrl.cli.output import print_json, print_text
from edge_mrl.doctor import Finding, examine

SOMETHING_WRONG = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument("bundle", type=Path, nargs="?", help="a bundle whose variants to try too")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`. Exit code 1 where something is not as it should be."""
    findings = []
    width = _width(arguments.bundle)
    for finding in examine(arguments.bundle):
        findings.append(finding)
        if not arguments.json:
            print_text(_line(finding, width), flush=True)
    if arguments.json:
        print_json({"findings": [dataclasses.asdict(finding) for finding in findings]})
    return SOMETHING_WRONG if any(finding.ok is False for finding in findings) else 0


def _width(bundle: Path | None) -> int:
    """Room for the longest name of a finding: lines are printed as they are found."""
    names = ["engine tflite"]
    if bundle is not None:
        names += [f"variant {one.name}" for one in Bundle.open(bundle).manifest.variants]
    return max(map(len, names))


def _line(finding: Finding, width: int) -> str:
    mark = {True: "ok", False: "WRONG", None: ""}[finding.ok]
    advice = f": {finding.advice}" if finding.advice else ""
    return f"{mark:5}  {finding.name.ljust(width)}  {finding.detail}{advice}"
