"""Arguments of the commands that embed texts, and loading the encoder that they ask for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edge_mrl.backends import installed_engines
from edge_mrl.bundle import Bundle
from edge_mrl.encoder import Encoder
from edge_mrl.errors import IndexFileError
from edge_mrl.index import Index

if TYPE_CHECKING:
    # The planner is loaded by those who give a profile.
    from edge_mrl.corpus import Corpus
    from edge_mrl.planning import DeviceProfile, PlanChange


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
            "--dim", type=int, metavar="D", help="a trained size, instead of the planner's"
        )
    parser.add_argument("--variant", help="a variant of the bundle, instead of the planner's")
    parser.add_argument(
        "--threads",
        type=at_least_one,
        metavar="N",
        help="threads of the engine (default: all cores; one for a single query)",
    )
    parser.add_argument(
        "--profile",
        metavar="P",
        help="a device's name, `auto` for this one, or a profile file: the planner then chooses "
        "what the command leaves open, and the index keeps to the device's memory",
    )
    parser.add_argument(
        "--memory-budget",
        type=mebibytes,
        metavar="MIB",
        help="what the scan codes may take in memory; beyond it each search reads them from the "
        "file",
    )


def document_count(text: str) -> int:
    """A number of documents as people write it: ``100000``, ``100_000``.

    Raises:
        argparse.ArgumentTypeError: not a whole number from 0 on.
    """
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return value


def at_least_one(text: str) -> int:
    """A whole number from 1 on.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return value


def mebibytes(text: str) -> int:
    """A size in MiB as bytes.

    Raises:
        argparse.ArgumentTypeError: not a number from 0 on.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 2**40:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of MiB from 0 on")
    return round(value * 2**20)


def open_index(
    path: Path,
    encoder: Encoder | None,
    arguments: argparse.Namespace,
    on_plan_change: Callable[[PlanChange], None] | None = None,
) -> Index:
    """The index as the arguments ask for it."""
    return Index.open(
        path, encoder, memory_budget=arguments.memory_budget, on_plan_change=on_plan_change
    )


def _threads(arguments: argparse.Namespace, device: DeviceProfile | None) -> int:
    """Threads for embedding many texts: all cores, but no more than the device has."""
    cores = os.cpu_count() or 1
    return arguments.threads or (cores if device is None else min(cores, device.facts.cores))


def _device(arguments: argparse.Namespace) -> DeviceProfile | None:
    if arguments.profile is None:
        return None
    from edge_mrl.planning import load_profile

    return load_profile(arguments.profile, engines=installed_engines())


def load_encoder(
    arguments: argparse.Namespace,
    corpus: Corpus,
    *,
    lexical: str | None = None,
    token_vectors: bool = False,
) -> Encoder:
    """The encoder for a new index of a corpus, perhaps one that gives token vectors."""
    device = _device(arguments)
    companions = None
    if device is not None:
        from edge_mrl.planning.companion_cost import Companions

        companions = Companions(id_bytes=corpus.id_bytes, lexical=lexical)
    return Encoder.load(
        arguments.bundle,
        profile=device,
        documents=corpus.count,
        text_bytes=round(corpus.text_bytes),
        companions=companions,
        truncate_dim=arguments.dim,
        variant=arguments.variant,
        threads=_threads(arguments, device),
        token_vectors=token_vectors,
    )


def load_encoder_for(
    index: Path,
    arguments: argparse.Namespace,
    *,
    added: int = 0,
    threads: int | None = None,
    token_vectors: bool = False,
) -> Encoder:
    """The encoder for an index that exists, from the bundle that it remembers or the one that was
    named.

    Args:
        index: the index file.
        arguments: from `add_encoder_arguments`.
        added: documents that are to be added, for the plan.
        threads: threads of the engine, where the arguments do not say; default as many as cores.
        token_vectors: whether the encoder must give token vectors. It does anyway where the index
            has them of its model, a variant of the bundle can, and no other is named.

    Raises:
        IndexFileError: there is no such index, or it does not know a bundle.
        IndexMismatchError: the bundle holds another model than the index was built with.
    """
    with Index.open(index) as opened:
        stored = opened.layout.stored
        place = arguments.bundle or opened.bundle
        if place is None:
            raise IndexFileError(
                f"{index} does not say where its model is, {opened.stats().model_name}: name the "
                "bundle's folder with --bundle, or give vectors instead of texts"
            )
        manifest = Bundle.open(place).manifest
        model = manifest.model
        opened.check_model(model.identity, model.name)
        device = _device(arguments)
        if opened.token_vectors_by_model and arguments.variant is None:
            token_vectors = token_vectors or manifest.has_token_vectors
        facts = None
        if device is not None:
            from edge_mrl.planning import IndexFacts

            facts = IndexFacts.of(opened.stats())
    return Encoder.load(
        place,
        profile=device,
        documents=added + (0 if facts is None else facts.documents),
        index=facts,
        truncate_dim=stored.dim,
        variant=arguments.variant,
        threads=arguments.threads or threads or _threads(arguments, device),
        token_vectors=token_vectors,
    )
