"""Arguments of commands that read a model."""

from __future__ import annotations

import argparse

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
