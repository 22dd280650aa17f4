"""The modules of a folder, whichever library saved it."""

from __future__ import annotations

from pathlib import Path

from edge_mrl_export.sources.modules import ModelLayout
from edge_mrl_export.sources.modules_json import read_layout
from edge_mrl_export.sources.stanford_colbert import is_stanford_colbert, stanford_layout


def layout_of(folder: Path) -> ModelLayout:
    """The modules of a folder of sentence-transformers, PyLate or Stanford's ColBERT.

    Raises:
        ExportError: a file is missing or wrong.
    """
    return stanford_layout(folder) if is_stanford_colbert(folder) else read_layout(folder)
