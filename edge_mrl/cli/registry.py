"""Every command, by what it works on and in the order of the work. A command's module is imported
only when that command runs.

A command module has two functions: ``add_arguments(parser)`` and ``run(arguments) -> int``, the
exit code. Commands of the exporter are named here as text: the runtime does not import the
exporter."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand: its name, the module that carries it out, and one line of help."""

    name: str
    module: str
    summary: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Give the parser this command's arguments."""
        importlib.import_module(self.module).add_arguments(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        """Carry the command out and return its exit code."""
        run = cast("Callable[[argparse.Namespace], int]", importlib.import_module(self.module).run)
        return run(arguments)


GROUPS = (
    (
        "from a model to a bundle, on a workstation",
        (
            Command(
                "export",
                "edge_mrl_export.commands.export",
                "turn a trained MRL model into a verified bundle",
            ),
            Command(
                "check",
                "edge_mrl_export.commands.check",
                "tell whether a model's first coordinates are worth more",
            ),
            Command(
                "adapt",
                "edge_mrl_export.commands.adapt",
                "train a Matryoshka adapter for a model that is none",
            ),
            Command(
                "eval",
                "edge_mrl_export.commands.eval",
                "measure variants and slices on labelled data",
            ),
        ),
    ),
    (
        "what a bundle holds, and what a device affords of it",
        (
            Command("inspect", "edge_mrl.cli.inspect", "show a bundle and what each slice keeps"),
            Command(
                "verify", "edge_mrl.cli.verify", "check every file of a bundle, run its variants"
            ),
            Command("profiles", "edge_mrl.cli.profiles", "list the devices, or show one"),
            Command("plan", "edge_mrl.cli.plan", "say which slice a device affords, and why"),
        ),
    ),
    (
        "indexes",
        (
            Command("build", "edge_mrl.cli.build", "build an index from a corpus or from vectors"),
            Command("add", "edge_mrl.cli.add", "add documents, or replace them"),
            Command("search", "edge_mrl.cli.search", "search an index"),
            Command("get", "edge_mrl.cli.get", "print documents by their ids"),
            Command("delete", "edge_mrl.cli.delete", "remove documents by their ids"),
            Command("stats", "edge_mrl.cli.stats", "show an index and the recall to expect"),
            Command(
                "optimize",
                "edge_mrl.cli.optimize",
                "free the space of deleted documents, measure again",
            ),
            Command(
                "reslice",
                "edge_mrl.cli.reslice",
                "cut an index for a smaller device, without the model",
            ),
            Command(
                "serve", "edge_mrl.cli.serve", "answer OpenAI's requests and searches over HTTP"
            ),
        ),
    ),
    (
        "this device",
        (
            Command("doctor", "edge_mrl.cli.doctor", "say what this device can run, by trying it"),
            Command(
                "calibrate",
                "edge_mrl.cli.calibrate",
                "measure this device, for plans that hold here",
            ),
            Command(
                "bench", "edge_mrl.cli.bench", "print what was planned beside what is measured"
            ),
            Command(
                "demo",
                "edge_mrl_export.commands.demo",
                "the whole path, on this Python's own documentation",
            ),
        ),
    ),
)
"""Commands under the headings of `edge-mrl --help`."""

COMMANDS = tuple(command for _, commands in GROUPS for command in commands)
