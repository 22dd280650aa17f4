"""Arguments that choose the slices of a new index by hand, as `edge-mrl plan` names them."""

from __future__ import annotations

import argparse

from edge_mrl.slices import Slice


def add_layout_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser these arguments."""
    parser.add_argument(
        "--scan",
        metavar="DxB",
        help="the scan slice, such as 256x1 (default: the plan's, or by dimensions)",
    )
    parser.add_argument(
        "--refine",
        metavar="DxB",
        help="the refine slice, such as 256x2 (default: none after --scan)",
    )


def chosen_codes(arguments: argparse.Namespace) -> tuple[Slice | None, Slice | None]:
    """The scan and refine slices that were given, for `IndexLayout.with_codes`.

    Raises:
        SliceError: one is not dimensions x bits.
    """
    scan = None if arguments.scan is None else Slice.parse(arguments.scan)
    return scan, None if arguments.refine is None else Slice.parse(arguments.refine)
