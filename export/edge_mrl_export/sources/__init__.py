"""Where models come from: one file a kind, chosen by what the user names."""

from __future__ import annotations

from pathlib import Path

from edge_mrl.errors import ExportError
from edge_mrl_export.extras import require
from edge_mrl_export.graphs.head import OPSET
from edge_mrl_export.model import Source
from edge_mrl_export.options import ExportOptions
from edge_mrl_export.sources.hub import fetch, is_hub_id
from edge_mrl_export.sources.model2vec import is_model2vec, open_model2vec
from edge_mrl_export.sources.modules_json import MODULES_JSON, module_entries
from edge_mrl_export.sources.origin import Origin
from edge_mrl_export.sources.stanford_colbert import METADATA, is_stanford_colbert
from edge_mrl_export.sources.static_embedding import MODULE as STATIC_MODULE
from edge_mrl_export.sources.static_embedding import open_static_embedding
from edge_mrl_export.sources.wordllama import WordLlamaSource


def open_source(name: str, options: ExportOptions) -> Source:
    """Open what the user names: ``wordllama`` (the installed package's static table), a model
    folder of sentence-transformers or model2vec, or the id of one on the Hugging Face hub.

    Raises:
        ExportError: there is no such model, or it cannot be read.
    """
    if name == "wordllama" and not Path(name).is_dir():
        _check_static(options)
        return WordLlamaSource.installed(dims=options.dims, licence=options.licence)
    return open_folder(locate(name, options), options)


def locate(name: str, options: ExportOptions) -> Origin:
    """A model folder of this machine, or the model of that id on the hub, brought here.

    Raises:
        ExportError: there is neither.
    """
    folder = Path(name)
    if folder.is_dir():
        if options.revision is not None:
            raise ExportError(
                f"--revision {options.revision}: {name} is a folder here, which has no revisions"
            )
        return Origin.of_folder(folder)
    if name == "wordllama":
        raise ExportError(
            "wordllama is a static table, which has no layers and takes no adapter: give a "
            "sentence-transformers folder, or the id of one on the Hugging Face hub"
        )
    if not is_hub_id(name):
        raise ExportError(
            f"there is no model folder at {name}: give a sentence-transformers or model2vec "
            "folder, the id of one on the Hugging Face hub as in owner/name, or `wordllama` for "
            "the static table of that package"
        )
    model = fetch(name, revision=options.revision, trust_remote_code=options.trust_remote_code)
    return Origin.of_hub(model)


def open_folder(origin: Origin, options: ExportOptions) -> Source:
    """Open a model folder of sentence-transformers or model2vec.

    Raises:
        ExportError: it is neither, or it cannot be read.
    """
    folder = origin.folder
    require("safetensors", extra="export-static")
    if is_model2vec(folder):
        _check_static(options)
        return open_model2vec(origin, dims=options.dims, licence=options.licence)
    stanford = is_stanford_colbert(folder)
    if not stanford and not (folder / MODULES_JSON).is_file():
        raise ExportError(
            f"{folder} is not a model folder: it has neither the {MODULES_JSON} of "
            f"sentence-transformers, nor the weights of model2vec, nor the {METADATA} of ColBERT"
        )
    if not stanford and [kind for kind, _ in module_entries(folder)][:1] == [STATIC_MODULE]:
        _check_static(options)
        return open_static_embedding(origin, dims=options.dims, licence=options.licence)
    from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource

    return SentenceTransformersSource(
        folder,
        dims=options.dims,
        licence=options.licence,
        sequence_lengths=options.sequence_lengths,
        origin=origin,
        trust_remote_code=options.trust_remote_code,
        opset=options.opset,
    )


def _check_static(options: ExportOptions) -> None:
    if options.opset not in (None, OPSET):
        raise ExportError(
            f"--opset {options.opset}: graphs of static tables are written in operator set "
            f"{OPSET} only"
        )
    if options.sequence_lengths is not None:
        raise ExportError(
            "--sequence-lengths: a static table reads texts of any length; leave it out"
        )
