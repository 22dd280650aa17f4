"""Reading what several commands take."""

from __future__ import annotations

import argparse

from edge_mrl.errors import ExportError

SOURCE_HELP = (
    "`wordllama`, a sentence-transformers or model2vec folder, or the id of one on the Hugging "
    "Face hub"
)


def add_hub_arguments(parser: argparse.ArgumentParser) -> None:
    """What commands that read a model take for models of the hub."""
    parser.add_argument(
        "--revision", help="branch, tag or commit of a model on the hub (default: its main branch)"
    )
    parser.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="run code that the model brings with it; read it first",
    )


def numbers(text: str | None, what: str, example: str) -> tuple[int, ...] | None:
    """Whole numbers with commas between, as after `--dims`.

    Raises:
        ExportError: one of them is no whole number; names `what` and shows `example`.
    """
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ExportError(f"cannot read the {what} {text!r}: write them as {example}") from None
