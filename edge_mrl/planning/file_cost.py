"""How large an index file is. Pure arithmetic over SQLite's pages."""

from __future__ import annotations

import math

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.slices import Slice

VECTOR_ROW_BYTES = 15
"""A stored vector's checksum (4 bytes) and what SQLite adds to a row: its place in the page, its
length and number, the types of its columns (11)."""

DOCUMENT_ROW_BYTES = 12
"""What SQLite adds to a document's row. An id that the index gives and empty metadata take
nothing."""

PACKED_GAIN_BYTES = 0.9
"""A gain takes two bytes, which differ so little that they are packed to this (measured, 256
dimensions at 1 and 2 bits)."""

FILE_BASE_BYTES = 6 * 4096
"""Pages of tables that hardly grow: facts, schema, the first page of each."""

PAGE_BYTES = 4096
PAGE_ROOM = 4088
"""SQLite's default page, and what its 8-byte header leaves (SQLite, Database File Format)."""

DEFAULT_TEXT_BYTES = 500
"""Bytes of text a document, a paragraph, where nobody says."""


def index_file(layout: IndexLayout, documents: int, text_bytes: int) -> int:
    """Bytes of the index file: texts, stored vectors, and the scan codes kept for a fast open."""
    if not documents:
        return 0
    row = varying_row(text_bytes + DOCUMENT_ROW_BYTES) + vector_row(layout.stored)
    return FILE_BASE_BYTES + round(documents * (row + segment_row(layout)))


def segment_row(layout: IndexLayout) -> float:
    """Bytes of file for one document's scan and refine codes and their gains, packed to half. They
    stand in large values, whose pages hold 4 bytes less."""
    row = sum(part.code_bytes + PACKED_GAIN_BYTES for part in layout.resident)
    if layout.refine is not None and layout.shares_plane:
        row += layout.plane_bytes - layout.refine.code_bytes
    return row * PAGE_BYTES / (PAGE_BYTES - 4)


def vector_row(stored: Slice) -> float:
    """Bytes of file for one stored vector; all have one length, so pages hold a whole number."""
    row = stored.code_bytes + VECTOR_ROW_BYTES
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
