"""Checkpoints of Stanford's ColBERT: one folder of a backbone whose weights hold the projection of
tokens too, and artifact.metadata with the settings."""

from __future__ import annotations

import string
from pathlib import Path

from edge_mrl.errors import ExportError
from edge_mrl.schema import Table
from edge_mrl.slices import MAX_DIM
from edge_mrl_export.sources.model_files import read_object
from edge_mrl_export.sources.modules import (
    DenseModule,
    ModelLayout,
    NormalizeModule,
    PoolingModule,
    TransformerModule,
)
from edge_mrl_export.sources.modules_json import MODULES_JSON

METADATA = "artifact.metadata"
_MARKERS = {"query_token_id": "[unused0]", "doc_token_id": "[unused1]"}


def is_stanford_colbert(folder: Path) -> bool:
    """Whether a folder is such a checkpoint, and no folder of sentence-transformers."""
    return (folder / METADATA).is_file() and not (folder / MODULES_JSON).is_file()


def stanford_layout(folder: Path) -> ModelLayout:
    """Its modules.

    Raises:
        ExportError: a file is missing or wrong.
    """
    metadata = _metadata(folder)
    path = folder / "config.json"
    hidden = Table(read_object(path), str(path), ExportError).integer("hidden_size", 1, MAX_DIM)
    projection = DenseModule(
        folder, hidden, metadata.integer("dim", 1, MAX_DIM), bias=False, activation="Identity"
    )
    return ModelLayout(
        TransformerModule(folder, max_seq_length=None, do_lower_case=False),
        PoolingModule(hidden, ("mean",), include_prompt=True),
        (projection, NormalizeModule()),
        late_interaction=True,
    )


def stanford_settings(folder: Path) -> dict[str, object]:
    """Its settings under the names that PyLate has for them.

    Raises:
        ExportError: artifact.metadata is missing, is no JSON, or holds a wrong value.
    """
    metadata = _metadata(folder)
    query, document = (metadata.optional_text(key) or token for key, token in _MARKERS.items())
    skips = "mask_punctuation" not in metadata or metadata.flag("mask_punctuation")
    return {
        "query_prefix": query,
        "document_prefix": document,
        "query_length": metadata.get("query_maxlen"),
        "document_length": metadata.get("doc_maxlen"),
        "attend_to_expansion_tokens": metadata.get("attend_to_mask_tokens"),
        "skiplist_words": list(string.punctuation) if skips else [],
    }


def _metadata(folder: Path) -> Table:
    path = folder / METADATA
    return Table(read_object(path), str(path), ExportError)
