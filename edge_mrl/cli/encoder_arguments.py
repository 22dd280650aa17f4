"""Arguments of the commands that embed texts, and loading the encoder that they ask for."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from edge_mrl.bundle import Bundle
from edge_mrl.encoder import Encoder
from edge_mrl.errors import IndexFileError
from edge_mrl.index import Index


def add_encoder_arguments(parser: argparse.ArgumentParser, *, optional_bundle: bool) -> None:
    """Arguments that say which bundle's encoder runs, and how.

    Args:
        parser: gets the arguments.
        optional_bundle: whether an index at hand can say where its bundle is.
    """
    if optional_bundle:
        parser.add_argument("--bundle", type=Path, help="the bundle folder, if it was moved")
    else:
        parser.add_argument("--bundle", type=Path, help="the model's bundle folder")
        parser.add_argument(
            "--profile", help="a device's name or profile file: the planner then chooses the slices"
        )
        parser.add_argument("--dim", type=int, help="a trained size, instead of the planner's")
    parser.add_argument("--variant", help="a variant of the bundle, instead of the planner's")
    parser.add_argument("--threads", type=int, help="threads of the engine (default: all cores)")


def load_encoder(arguments: argparse.Namespace, *, documents: int) -> Encoder:
    """The encoder for a new index of so many documents."""
    return Encoder.load(
        arguments.bundle,
        profile=arguments.profile,
        documents=documents,
        truncate_dim=arguments.dim,
        variant=arguments.variant,
        threads=arguments.threads or os.cpu_count(),
    )


def load_encoder_for(
    index: Path, arguments: argparse.Namespace, *, threads: int | None = None
) -> Encoder:
    """The encoder for an index that exists, from the bundle that it remembers or the one that was
    named.

    Raises:
        IndexFileError: there is no such index, or it does not know a bundle.
        IndexMismatchError: the bundle holds another model than the index was built with.
    """
    with Index.open(index) as opened:
        stored = opened.layout.stored
        place = arguments.bundle or opened.bundle
        if place is None:
            raise IndexFileError(
                f"{index} does not say where its model is: name the folder with --bundle"
            )
        model = Bundle.open(place).manifest.model
        opened.check_model(model.identity, model.name)
    return Encoder.load(
        place,
        truncate_dim=stored.dim,
        variant=arguments.variant,
        threads=arguments.threads or threads or os.cpu_count(),
    )
