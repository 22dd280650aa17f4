"""The argument that says which token vectors an index keeps."""

from __future__ import annotations

import argparse
from typing import Final, Literal

from edge_mrl.slices import Slice

ALL: Final = "all"


def add_token_argument(parser: argparse.ArgumentParser) -> None:
    """`--token-vectors`, with or without a slice."""
    parser.add_argument(
        "--token-vectors",
        nargs="?",
        const=ALL,
        metavar="DxB",
        help="keep a vector for each token of the texts too, for late interaction: this slice of "
        "it (default: all dimensions at 8 bits); texts need a bundle exported with --token-vectors",
    )


def token_argument(arguments: argparse.Namespace) -> Slice | Literal["all"] | None:
    """What is to be kept; None where nothing is asked for.

    Raises:
        SliceError: it cannot be read.
    """
    given = arguments.token_vectors
    return given if given is None or given == ALL else Slice.parse(given)
