"""Ids of documents as a command line gives them."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_mrl.index import Index
from edge_mrl.index.records import DocumentId


def add_document_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of a command about some documents of an index."""
    parser.add_argument("index", type=Path, help="the index file")
    parser.add_argument("ids", nargs="+", metavar="ID", help="ids of documents")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def meant_id(index: Index, text: str) -> DocumentId:
    """The id that a word names: a command line cannot tell the id 7 from "7", so the text is meant
    where a document has it, and the number otherwise."""
    is_number = text.removeprefix("-").isdecimal() and text.isascii()
    return int(text) if is_number and not index.get([text]) else text
