"""The on-device index: one file, scanned by its smallest slice, answered from its stored one.

What makes a whole file is loaded when it is first used: who opens an index does not wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_mrl.index.format.layout import IndexLayout, default_layout
from edge_mrl.index.index import Index
from edge_mrl.index.querying.hit import Hit
from edge_mrl.index.records import Document, Record
from edge_mrl.index.text_encoder import TextEncoder
from edge_mrl.on_first_use import on_first_use

if TYPE_CHECKING:
    from edge_mrl.index.build import build_index, build_with
    from edge_mrl.index.querying.result import QueryResult
    from edge_mrl.index.reslice import reslice_index
    from edge_mrl.index.searching.funnel import Measurement
    from edge_mrl.index.stats import IndexStats

_HOMES = {
    "IndexStats": "edge_mrl.index.stats",
    "Measurement": "edge_mrl.index.searching.funnel",
    "QueryResult": "edge_mrl.index.querying.result",
    "build_index": "edge_mrl.index.build",
    "build_with": "edge_mrl.index.build",
    "reslice_index": "edge_mrl.index.reslice",
}

__all__ = [
    "Document",
    "Hit",
    "Index",
    "IndexLayout",
    "IndexStats",
    "Measurement",
    "QueryResult",
    "Record",
    "TextEncoder",
    "build_index",
    "build_with",
    "default_layout",
    "reslice_index",
]

__getattr__ = on_first_use(__name__, _HOMES)
