"""Where models come from: one file a kind, chosen by what the user names."""

from __future__ import annotations

from pathlib import Path

from edge_mrl.errors import ExportError
from edge_mrl_export.graphs.head import OPSET
from edge_mrl_export.model import Source
from edge_mrl_export.options import ExportOptions
from edge_mrl_export.sources.wordllama import WordLlamaSource


def open_source(name: str, options: ExportOptions) -> Source:
    """Open ``wordllama`` (the installed package's static table) or a sentence-transformers folder.

    Raises:
        ExportError: there is no such model, or it cannot be read.
    """
    folder = Path(name)
    if name == "wordllama" and not folder.is_dir():
        if options.opset not in (None, OPSET):
            raise ExportError(
                f"--opset {options.opset}: graphs of static tables are written in operator set "
                f"{OPSET} only"
            )
        return WordLlamaSource.installed(dims=options.dims)
    if not folder.is_dir():
        raise ExportError(
            f"there is no model folder at {name}: give a sentence-transformers folder, or "
            "`wordllama` for the "
            "static table of that package"
        )
    if not (folder / "modules.json").is_file():
        raise ExportError(f"{name} is not a sentence-transformers folder: it has no modules.json")
    from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource

    return SentenceTransformersSource(
        folder,
        dims=options.dims,
        licence=options.licence,
        sequence_lengths=options.sequence_lengths,
        opset=options.opset,
    )
