"""How large an index file is. Pure arithmetic over SQLite's pages."""

from __future__ import annotations

import math

from edge_mrl.index.layout import IndexLayout
from edge_mrl.slices import Slice

VECTOR_ROW_BYTES = 10
"""A stored vector's checksum (4 bytes) and SQLite's cell and record headers (6)."""

DOCUMENT_ROW_BYTES = 20
"""A document's id, empty metadata and SQLite's headers."""

ID_INDEX_BYTES = 20
"""A document's entry in the unique index over ids."""

FILE_BASE_BYTES = 8 * 4096
"""Pages of tables that hardly grow: facts, schema, the first page of each."""

PAGE_BYTES = 4096
PAGE_ROOM = 4088
"""SQLite's default page, and what its 8-byte header leaves (SQLite, Database File Format)."""

DEFAULT_TEXT_BYTES = 500
"""Bytes of text a document, a paragraph, where nobody says."""


def index_file(layout: IndexLayout, documents: int, text_bytes: int) -> int:
    """Bytes of the index file: texts, stored vectors, and the scan codes kept for a fast open."""
    document = varying_row(text_bytes + DOCUMENT_ROW_BYTES) + ID_INDEX_BYTES
    if not documents:
        return 0
    row = document + vector_row(layout.stored) + sum(part.nbytes for part in layout.resident)
    return FILE_BASE_BYTES + round(documents * row)


def vector_row(stored: Slice) -> float:
    """Bytes of file for one stored vector; all have one length, so pages hold a whole number."""
    row = stored.nbytes + VECTOR_ROW_BYTES
    if row <= PAGE_ROOM:
        return PAGE_BYTES / (PAGE_ROOM // row)
    return PAGE_BYTES * math.ceil(row / PAGE_ROOM)


def varying_row(row: int) -> float:
    """Bytes of file for one row of mean length `row`.

    On average half a row's room is left in a page. Rows longer than a page spill into pages of
    their own; a fifth of a page each is lost (measured, texts of 5000).
    """
    spilled = row + 0.2 * PAGE_BYTES
    if row >= PAGE_ROOM:
        return spilled
    return min(row * PAGE_BYTES / (PAGE_ROOM - row / 2), spilled)
