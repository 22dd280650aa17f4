"""Arguments that say what an index will keep beside texts and vectors, so that its file can be
predicted."""

from __future__ import annotations

import argparse

from edge_mrl.errors import InputError
from edge_mrl.index.companions.lexical import TOKENIZERS
from edge_mrl.planning.companion_cost import Companions
from edge_mrl.slices import Slice

MOST = 1e6
"""Of anything in one document."""


def add_companion_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser these arguments."""
    group = parser.add_argument_group(
        "what the index will keep besides",
        "for the size of its file; an index that is given with --index says it itself",
    )
    group.add_argument(
        "--id-bytes",
        type=_mean,
        default=0.0,
        metavar="N",
        help="bytes of a document's own id, on average (default 0: the index numbers them)",
    )
    group.add_argument(
        "--lexical", choices=tuple(TOKENIZERS), help="a lexical index, cut by this tokenizer"
    )
    group.add_argument(
        "--payload-values",
        type=_mean,
        default=0.0,
        metavar="N",
        help="values of indexed metadata keys in a document, on average",
    )
    group.add_argument(
        "--payload-value-bytes",
        type=_mean,
        default=8.0,
        metavar="N",
        help="bytes of one of them, on average (default 8)",
    )
    group.add_argument(
        "--sparse",
        type=_mean,
        default=0.0,
        metavar="N",
        help="coordinates of a document's sparse vector, on average",
    )
    group.add_argument(
        "--token-vectors",
        type=_mean,
        default=0.0,
        metavar="N",
        help="token vectors of a document, on average; needs --token-slice",
    )
    group.add_argument("--token-slice", metavar="S", help="what is kept of each, as in 64x8")


def companions_of(arguments: argparse.Namespace) -> Companions:
    """What was given.

    Raises:
        InputError: token vectors without a slice, or a slice without them.
        SliceError: the slice cannot be.
    """
    if bool(arguments.token_vectors) != (arguments.token_slice is not None):
        raise InputError("token vectors take two arguments: --token-vectors N and --token-slice S")
    return Companions(
        id_bytes=arguments.id_bytes,
        lexical=arguments.lexical,
        payload_values=arguments.payload_values,
        payload_value_bytes=arguments.payload_value_bytes,
        sparse_coordinates=arguments.sparse,
        token_vectors=arguments.token_vectors,
        token_slice=None if arguments.token_slice is None else Slice.parse(arguments.token_slice),
    )


def _mean(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {MOST:g}")
    return value
