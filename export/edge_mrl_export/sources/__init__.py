"""Where models come from: one file a kind, chosen by what the user names."""

from __future__ import annotations

from pathlib import Path

from edge_mrl.errors import ExportError
from edge_mrl_export.extras import require
from edge_mrl_export.model import Source
from edge_mrl_export.options import ExportOptions
from edge_mrl_export.sources.model2vec import is_model2vec, open_model2vec
from edge_mrl_export.sources.modules_json import MODULES_JSON, module_entries
from edge_mrl_export.sources.static_embedding import MODULE as STATIC_MODULE
from edge_mrl_export.sources.static_embedding import open_static_embedding
from edge_mrl_export.sources.wordllama import WordLlamaSource


def open_source(name: str, options: ExportOptions) -> Source:
    """Open what the user names: ``wordllama`` (the installed package's static table), or a model
    folder of sentence-transformers or model2vec.

    Raises:
        ExportError: there is no such model, or it cannot be read.
    """
    folder = Path(name)
    if name == "wordllama" and not folder.is_dir():
        return WordLlamaSource.installed(dims=options.dims)
    if not folder.is_dir():
        raise ExportError(
            f"there is no model folder at {name}: give a sentence-transformers or model2vec "
            "folder, or `wordllama` for the static table of that package"
        )
    require("safetensors", extra="export-static")
    if is_model2vec(folder):
        return open_model2vec(folder, dims=options.dims, licence=options.licence)
    if not (folder / MODULES_JSON).is_file():
        raise ExportError(
            f"{name} is not a model folder: it has neither the {MODULES_JSON} of "
            "sentence-transformers nor the weights of model2vec"
        )
    if [kind for kind, _ in module_entries(folder)][:1] == [STATIC_MODULE]:
        return open_static_embedding(folder, dims=options.dims, licence=options.licence)
    from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource

    return SentenceTransformersSource(
        folder,
        dims=options.dims,
        licence=options.licence,
        sequence_lengths=options.sequence_lengths,
    )
