"""`edge-mrl plan`: which slice a device affords for so many documents, what that costs, and why."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edge_mrl.backends import installed_engines
from edge_mrl.bundle import Bundle
from edge_mrl.cli import drawing
from edge_mrl.cli.arguments import checked_corpus
from edge_mrl.cli.companion_arguments import add_companion_arguments, companions_of
from edge_mrl.cli.encoder_arguments import document_count
from edge_mrl.cli.output import print_json, print_left_out, print_text
from edge_mrl.cli.plan_plot import plan_plot
from edge_mrl.cli.plan_table import plan_rows, render_plans
from edge_mrl.corpus import Corpus
from edge_mrl.errors import InputError, ProfileError
from edge_mrl.index import Index
from edge_mrl.planning import (
    BundleFacts,
    DeviceProfile,
    IndexFacts,
    list_profiles,
    load_profile,
)
from edge_mrl.planning.file_cost import DEFAULT_TEXT_BYTES
from edge_mrl.planning.planner import survey
from edge_mrl.planning.refusal import refusal

NOTHING_FITS = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser this command's arguments."""
    parser.add_argument("bundle", help="the bundle folder")
    parser.add_argument(
        "--profile",
        action="append",
        default=[],
        metavar="P",
        help="a device's name or a .toml file; may be given several times",
    )
    parser.add_argument(
        "--all", action="store_true", help="plan for every device that is described"
    )
    parser.add_argument(
        "--docs",
        action="append",
        default=[],
        type=document_count,
        metavar="N",
        help="how many documents; may be given several times",
    )
    parser.add_argument(
        "--index",
        type=Path,
        metavar="FILE",
        help="an index that exists: its documents, and its shortlist as it measured it",
    )
    parser.add_argument(
        "--input",
        type=Path,
        metavar="FILE",
        help="a corpus, as `build` takes it: how many documents, and what their texts, metadata "
        "and ids take",
    )
    parser.add_argument(
        "--text-bytes",
        type=document_count,
        metavar="N",
        help="mean bytes of text and metadata of a document "
        f"(default: the corpus's, or {DEFAULT_TEXT_BYTES})",
    )
    parser.add_argument(
        "--text-tokens",
        type=document_count,
        metavar="N",
        help="tokens of the longest text, so that none is cut shorter than the model cuts it",
    )
    add_companion_arguments(parser)
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="draw every choice for one device and number of documents: an .svg file, or a .png "
        "file, which needs `edge-mrl[png]`",
    )
    parser.add_argument("--why", action="store_true", help="give every reason of every plan")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the plans. Exit code 2 where the only plan asked for does not fit."""
    profiles = [load_profile(name, engines=installed_engines()) for name in arguments.profile]
    if arguments.all:
        named = {profile.name for profile in profiles}
        listed = list_profiles(print_left_out)
        profiles += [profile for profile in listed if profile.name not in named]
    if not profiles:
        raise ProfileError("no device was named: give --profile NAME, or --all for every one")
    facts = BundleFacts.from_manifest(Bundle.open(arguments.bundle).manifest)
    index = None if arguments.index is None else _index_facts(arguments.index)
    if index is not None and not arguments.docs:
        arguments.docs = [index.documents]
    if arguments.input is not None:
        _take_from(checked_corpus(arguments.input), arguments)
    if not arguments.docs:
        raise InputError("for how many documents? give --docs N, --input FILE or --index FILE")
    if arguments.text_bytes is None:
        arguments.text_bytes = DEFAULT_TEXT_BYTES
    if arguments.plot is not None:
        _draw(arguments, facts, profiles)
    rows = plan_rows(
        facts,
        profiles,
        arguments.docs,
        text_bytes_per_document=arguments.text_bytes,
        index=index,
        companions=companions_of(arguments),
        text_tokens=arguments.text_tokens,
    )
    if arguments.json:
        print_json({"plans": [row.to_json() for row in rows]})
    else:
        print_text(render_plans(rows, every_reason=arguments.why))
        if not arguments.why:
            print_text("\n--why gives every reason of every plan.")
    return NOTHING_FITS if len(rows) == 1 and rows[0].plan is None else 0


def _take_from(corpus: Corpus, arguments: argparse.Namespace) -> None:
    """What the arguments leave open, from a corpus."""
    arguments.docs = arguments.docs or [corpus.count]
    if arguments.text_bytes is None:
        arguments.text_bytes = round(corpus.text_bytes)
    arguments.id_bytes = arguments.id_bytes or corpus.id_bytes


def _index_facts(file: Path) -> IndexFacts:
    with Index.open(file) as index:
        return IndexFacts.of(index.stats())


def _draw(
    arguments: argparse.Namespace, facts: BundleFacts, profiles: Sequence[DeviceProfile]
) -> None:
    """Write the drawing.

    Raises:
        InputError: several plans were asked for, or the file cannot be written.
        ExtraMissingError: a .png file needs a package that is not installed.
        PlanError: the bundle gives no choice at all.
    """
    file: Path = arguments.plot
    if len(profiles) != 1 or len(arguments.docs) != 1:
        raise InputError("--plot draws one plan: give one --profile and one --docs")
    drawing.check_name(file)
    found = survey(
        facts,
        profiles[0],
        arguments.docs[0],
        text_bytes_per_document=arguments.text_bytes,
        companions=companions_of(arguments),
        text_tokens=arguments.text_tokens,
    )
    if not found.known:
        raise refusal(found.request, found.known)
    drawing.write(file, plan_plot(found))
