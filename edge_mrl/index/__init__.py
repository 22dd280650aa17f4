"""The on-device index: one file, scanned by its smallest slice, answered from its stored one."""

from edge_mrl.index.build import build_index, build_with
from edge_mrl.index.funnel import Measurement
from edge_mrl.index.hit import Hit
from edge_mrl.index.index import Index
from edge_mrl.index.layout import IndexLayout, default_layout
from edge_mrl.index.query_result import QueryResult
from edge_mrl.index.records import Document, Record
from edge_mrl.index.reslice import reslice_index
from edge_mrl.index.stats import IndexStats
from edge_mrl.index.text_encoder import TextEncoder

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
