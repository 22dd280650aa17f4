"""Keeping the first layers of a model trained in both directions (2D Matryoshka).

Such a model was trained so that its first N layers are a model by themselves (Li et al., "2D
Matryoshka Sentence Embeddings", 2024, arXiv 2402.14776). A cut model is written as a folder of its
own, so that all that follows treats it like any other."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from edge_mrl.errors import ExportError
from edge_mrl.schema import Table
from edge_mrl_export.scratch import Scratch
from edge_mrl_export.sources.model_files import read_object
from edge_mrl_export.sources.modules_json import read_layout

_COUNTS = ("num_hidden_layers", "n_layers", "num_layers", "n_layer")
"""Spellings of the number of layers in config.json: BERT's and most others', DistilBERT's, T5's,
GPT-2's."""

_PER_LAYER = ("layer_types",)
"""Lists in config.json with an entry for each layer."""


def count_layers(folder: Path) -> int:
    """How many layers the backbone of a sentence-transformers folder has.

    Raises:
        ExportError: the folder cannot be read, or its config does not say.
    """
    config = read_layout(folder).transformer.folder / "config.json"
    return _table(config).integer(_count_key(config), 1, 10**4)


@contextlib.contextmanager
def first_layers(folder: Path, layers: int) -> Iterator[Path]:
    """A sentence-transformers folder that is another one cut to its first layers.

    The large files are links; the folder vanishes with the block.

    Args:
        folder: the whole model.
        layers: how many layers to keep.

    Raises:
        ExportError: the model has no more layers than that, or its config does not say how many.
    """
    have = count_layers(folder)
    if not 1 <= layers < have:
        raise ExportError(
            f"--layers {layers}: {folder} has {have} layers, so keep 1 to {have - 1} of them"
            if have > 1
            else f"--layers {layers}: {folder} has one layer, which cannot be cut"
        )
    with Scratch() as scratch:
        out = scratch / f"{folder.resolve().name}-{layers}-layers"
        _link(folder, out)
        config = read_layout(out).transformer.folder / "config.json"
        _cut(config, layers)
        yield out


def _link(folder: Path, out: Path) -> None:
    """The same tree, each file a link."""
    out.mkdir()
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            _link(path, out / path.name)
        elif path.is_file():
            (out / path.name).symlink_to(path.resolve())


def _cut(config: Path, layers: int) -> None:
    document = read_object(config)
    document[_count_key(config)] = layers
    for name in _PER_LAYER:
        entries = document.get(name)
        if isinstance(entries, list):
            document[name] = entries[:layers]
    # The link must not be written through.
    config.unlink()
    config.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _count_key(config: Path) -> str:
    table = _table(config)
    for name in _COUNTS:
        if name in table:
            return name
    raise ExportError(
        f"{config} does not say how many layers the model has, so --layers cannot cut it"
    )


def _table(config: Path) -> Table:
    return Table(read_object(config), str(config), ExportError)
