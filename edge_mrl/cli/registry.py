"""Every command, in the order of the work. A command's module is imported only when that command
runs.

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


COMMANDS = (
    Command(
        "export",
        "edge_mrl_export.commands.export",
        "turn a trained MRL model into a verified bundle",
    ),
    Command(
        "check",
        "edge_mrl_export.commands.check",
        "is it a Matryoshka model at all: are its first coordinates worth more than others",
    ),
    Command(
        "adapt",
        "edge_mrl_export.commands.adapt",
        "make a Matryoshka model of one that is none: train an adapter on its vectors",
    ),
    Command(
        "inspect",
        "edge_mrl.cli.inspect",
        "show what a bundle holds and what each slice costs and keeps",
    ),
    Command(
        "verify", "edge_mrl.cli.verify", "check every file of a bundle and run every variant it can"
    ),
    Command(
        "profiles", "edge_mrl.cli.profiles", "list the devices that are described, or show one"
    ),
    Command(
        "plan",
        "edge_mrl.cli.plan",
        "say which slice a device affords for so many documents, and why",
    ),
    Command(
        "eval",
        "edge_mrl_export.commands.eval",
        "measure what variants and slices are worth on labelled data",
    ),
    Command("build", "edge_mrl.cli.build", "build a new index from a corpus"),
    Command("add", "edge_mrl.cli.add", "add a corpus to an index"),
    Command("search", "edge_mrl.cli.search", "search an index"),
    Command("stats", "edge_mrl.cli.stats", "show an index in figures and the recall to expect"),
    Command(
        "optimize",
        "edge_mrl.cli.optimize",
        "free the space of deleted documents and measure the shortlist again",
    ),
    Command(
        "reslice",
        "edge_mrl.cli.reslice",
        "cut an index to a smaller one for a smaller device, without the model",
    ),
    Command(
        "serve",
        "edge_mrl.cli.serve",
        "answer OpenAI's embeddings requests and searches over HTTP",
    ),
    Command(
        "calibrate",
        "edge_mrl.cli.calibrate",
        "measure this device and write its profile, for plans that hold here",
    ),
    Command(
        "bench",
        "edge_mrl.cli.bench",
        "what the planner predicts for a bundle here, beside what is measured",
    ),
    Command("doctor", "edge_mrl.cli.doctor", "say what this device can run, by trying it"),
    Command(
        "demo",
        "edge_mrl_export.commands.demo",
        "the whole path on this machine's own Python documentation",
    ),
)
