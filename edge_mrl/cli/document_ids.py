"""Ids of documents as a command line gives them."""

from __future__ import annotations

from edge_mrl.index import Index
from edge_mrl.index.records import DocumentId


def meant_id(index: Index, text: str) -> DocumentId:
    """The id that a word names: a command line cannot tell the id 7 from "7", so the text is meant
    where a document has it, and the number otherwise."""
    is_number = text.removeprefix("-").isdecimal() and text.isascii()
    return int(text) if is_number and not index.get([text]) else text
