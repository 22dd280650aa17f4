"""Sentence-transformers folders that begin with StaticEmbedding."""

from __future__ import annotations

from edge_mrl.errors import ExportError
from edge_mrl_export.extras import require
from edge_mrl_export.sources.model_card import read_settings
from edge_mrl_export.sources.model_files import weight_files
from edge_mrl_export.sources.modules_json import MODULES_JSON, module_entries
from edge_mrl_export.sources.origin import Origin
from edge_mrl_export.sources.safetensors_file import read_numpy
from edge_mrl_export.sources.static_model import StaticModel, cut_to
from edge_mrl_export.sources.tokenizer_json import read_static_tokenizer

MODULE = "StaticEmbedding"
TENSOR = "embedding.weight"
TENSOR_OF_MODEL2VEC = "embeddings"


def open_static_embedding(
    origin: Origin, *, dims: tuple[int, ...] | None, licence: str | None
) -> StaticModel:
    """Read a folder of StaticEmbedding and perhaps Normalize.

    Args:
        origin: the model folder.
        dims: the trained sizes, or None for those that the folder records.
        licence: the model's licence, or None for what the folder says.

    Raises:
        ExportError: a file is missing or wrong, another module follows, the sizes are wrong or not
            recorded, or the `export-static` extra is not installed.
    """
    require("safetensors", "onnx", extra="export-static")
    folder = origin.folder
    entries = module_entries(folder)
    for kind, _ in entries[1:]:
        if kind != "Normalize":
            raise ExportError(
                f"{folder / MODULES_JSON} has {kind} after {MODULE}: a static model is a table, "
                "with at most a Normalize after it"
            )
    place = entries[0][1]
    tokenizer = read_static_tokenizer(place)
    tensors = read_numpy(weight_files(place), (TENSOR, TENSOR_OF_MODEL2VEC))
    if not tensors:
        raise ExportError(f"{place} has no tensor {TENSOR!r}: save the model again")
    return cut_to(
        dims,
        licence,
        origin=origin,
        kind="StaticEmbedding folder",
        table=next(iter(tensors.values())),
        tokenizer=tokenizer,
        settings=read_settings(folder, unit_length=len(entries) > 1),
    )
