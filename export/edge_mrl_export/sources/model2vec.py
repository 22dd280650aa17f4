"""Model folders of model2vec, read as model2vec itself reads them.

Its library leaves unknown tokens out of the mean, may keep fewer vectors than tokens (a mapping
names the vector of each) and may weigh tokens. All of it goes into one table of a row per token:
scaling a row is weighing it, and a row of zeros is left out, since a mean and a sum have one
direction. One thing differs: the library also cuts long texts by characters before it cuts them by
tokens.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import ExportError
from edge_mrl.schema import Table
from edge_mrl.slices import FloatArray
from edge_mrl_export.extras import require
from edge_mrl_export.model import TokenizerSource
from edge_mrl_export.sources.model_card import EncodingSettings
from edge_mrl_export.sources.model_files import read_object, weight_files
from edge_mrl_export.sources.origin import Origin
from edge_mrl_export.sources.safetensors_file import read_numpy, tensor_names
from edge_mrl_export.sources.static_model import StaticModel, cut_to
from edge_mrl_export.sources.tokenizer_json import MOST_TOKENS, read_static_tokenizer

EMBEDDINGS, WEIGHTS, MAPPING = "embeddings", "weights", "mapping"
DEFAULT_MAX_LENGTH = 512
"""Tokens of a text that model2vec reads where its config.json does not say."""


def is_model2vec(folder: Path) -> bool:
    """Whether the folder's weights are laid out by model2vec: a tensor named ``embeddings``.

    Raises:
        ExportError: the weights are not a whole safetensors file.
    """
    weights = folder / "model.safetensors"
    return (
        weights.is_file()
        and (folder / "config.json").is_file()
        and EMBEDDINGS in tensor_names((weights,))
    )


def open_model2vec(
    origin: Origin, *, dims: tuple[int, ...] | None, licence: str | None
) -> StaticModel:
    """Read a model2vec folder.

    Args:
        origin: the model folder.
        dims: the trained sizes, or None for those that the folder records.
        licence: the model's licence, or None for what the folder says.

    Raises:
        ExportError: a file is missing or wrong, the sizes are wrong or not recorded, or the
            `export-static` extra is not installed.
    """
    require("safetensors", "onnx", extra="export-static")
    folder = origin.folder
    path = folder / "config.json"
    raw = read_object(path)
    config = Table({"max_length": DEFAULT_MAX_LENGTH} | raw, str(path), ExportError)
    tokenizer = read_static_tokenizer(
        folder, max_tokens=config.optional_integer("max_length", 1, MOST_TOKENS)
    )
    return cut_to(
        dims,
        licence,
        origin=origin,
        kind="model2vec folder",
        table=_table(folder, tokenizer),
        tokenizer=tokenizer,
        settings=EncodingSettings({}, None, "cosine"),
    )


def _table(folder: Path, tokenizer: TokenizerSource) -> FloatArray:
    """A row per token: vector times weight, and zeros for the unknown token."""
    tensors = read_numpy(weight_files(folder), (EMBEDDINGS, WEIGHTS, MAPPING))
    vectors = tensors[EMBEDDINGS]
    if vectors.ndim != 2 or not len(vectors):
        raise ExportError(f"{folder}: {EMBEDDINGS} must have rows and columns")
    if MAPPING in tensors:
        vectors = vectors[_mapping(folder, tensors[MAPPING], len(vectors))]
    table = vectors.astype(np.float32)
    if WEIGHTS in tensors:
        weights = tensors[WEIGHTS]
        if weights.shape != table.shape[:1]:
            raise ExportError(
                f"{folder}: {WEIGHTS} has the shape {list(weights.shape)}, but there are "
                f"{len(table)} tokens: save or download the model again"
            )
        table *= weights.astype(np.float32)[:, None]
    unknown = _unknown_token(tokenizer)
    if unknown is not None and unknown < len(table):
        table[unknown] = 0
    return table


def _mapping(folder: Path, mapping: npt.NDArray[np.generic], rows: int) -> npt.NDArray[np.integer]:
    if mapping.ndim != 1 or not np.issubdtype(mapping.dtype, np.integer):
        raise ExportError(f"{folder}: {MAPPING} must be one row number per token")
    numbers = mapping.astype(np.int64)
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < rows:
        raise ExportError(
            f"{folder}: {MAPPING} names rows outside the {rows} there are: save or download the "
            "model again"
        )
    return numbers


def _unknown_token(tokenizer: TokenizerSource) -> int | None:
    """The id of the unknown token, by its text or, in Unigram models, by number."""
    document = json.loads(tokenizer.json)
    model = document["model"]
    if model.get("type") == "Unigram":
        number = model.get("unk_id")
        return number if isinstance(number, int) else None
    added = {token["content"]: token["id"] for token in document.get("added_tokens") or ()}
    vocabulary: dict[str, int] = model.get("vocab") or {}
    text = model.get("unk_token")
    return added.get(text, vocabulary.get(text)) if isinstance(text, str) else None
