"""The model's own vectors, from sentence-transformers itself: the measure of every variant."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_mrl.slices import FloatArray, normalize
from edge_mrl_export.scratch import Scratch
from edge_mrl_export.sources.backbone import read_config
from edge_mrl_export.sources.model_files import weight_files
from edge_mrl_export.sources.modules import DenseModule, LayerNormModule, ModelLayout, TailModule
from edge_mrl_export.sources.modules_json import LEGACY_POOLING, MODULES_JSON
from edge_mrl_export.sources.refusing import refusing
from edge_mrl_export.sources.safetensors_file import read_float32

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

_BATCH = 16
_CLASSES = "sentence_transformers.models."


class Oracle:
    """A loaded sentence-transformers model, in float32 on the CPU.

    Args:
        folder: the model folder.
        layout: its parsed modules. An installed version 5 cannot load what version 6 or PyLate
            saved; the folder is then rewritten for it, with the same weights.
        trust_remote_code: whether code that the folder brings may run.

    Raises:
        ExportError: transformers or sentence-transformers cannot load the model.
    """

    def __init__(
        self, folder: Path, layout: ModelLayout, *, trust_remote_code: bool = False
    ) -> None:
        with _quiet():
            read_config(layout.transformer.folder, trust_remote_code=trust_remote_code)
        self._folder = folder
        with refusing(f"sentence-transformers cannot load {folder}"):
            self._model = _load_layout(folder, layout, trust_remote_code)
        # Only the whole vector without a prompt is compared.
        self._model.truncate_dim = None
        self._model.default_prompt_name = None

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """The vectors of texts without a prompt: (n, dim) float32, unit length.

        Raises:
            ExportError: sentence-transformers cannot run the model.
        """
        with refusing(f"sentence-transformers cannot run the model in {self._folder}"):
            vectors = self._model.encode(
                list(texts), batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True
            )
            return normalize(np.asarray(vectors, dtype=np.float32))

    def embed_tokens(self, texts: Sequence[str]) -> list[FloatArray]:
        """A vector for each token of each text, special tokens included: sentence-transformers'
        token embeddings, each passed through the model's modules after pooling as a text's vector
        would be. Arrays (tokens, dim) float32, unit length.

        Raises:
            ExportError: sentence-transformers cannot run the model.
        """
        import torch

        tail = _tail(self._model)
        found = []
        with (
            refusing(f"sentence-transformers cannot run the model in {self._folder} on tokens"),
            torch.no_grad(),
        ):
            for text in texts:
                # One at a time: padding on the left would be among the tokens of a batch.
                (tokens,) = self._model.encode(
                    [text], output_value="token_embeddings", show_progress_bar=False
                )
                rows = tail({"sentence_embedding": tokens})["sentence_embedding"]
                found.append(normalize(rows.numpy()))
        return found


def _tail(model: SentenceTransformer) -> torch.nn.Module:
    """The modules after pooling, which take a text's vector."""
    import torch

    return torch.nn.Sequential(*list(model.children())[2:])


def _load_layout(folder: Path, layout: ModelLayout, trust_remote_code: bool) -> SentenceTransformer:
    # PyLate's Dense takes tokens; here it stands after a pooling.
    if not layout.late_interaction:
        # A class path of a newer layout cannot be imported.
        with contextlib.suppress(ImportError):
            return _load(folder, trust_remote_code)
    with Scratch() as scratch:
        copy = scratch / folder.resolve().name
        write_style_5(folder, layout, copy)
        return _load(copy, trust_remote_code)


def _load(folder: Path, trust_remote_code: bool) -> SentenceTransformer:
    with _quiet():
        import torch
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(
            str(folder),
            device="cpu",
            local_files_only=True,
            trust_remote_code=trust_remote_code,
            model_kwargs={"dtype": torch.float32},
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what the libraries say to each other: deprecations, and accelerators that torchao
    (which litert-torch brings) looks for and does not find."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def write_style_5(folder: Path, layout: ModelLayout, out: Path) -> None:
    """Write a model folder as sentence-transformers 5 does, with links to the large files."""
    out.mkdir()
    backbone = layout.transformer.folder
    for path in sorted(backbone.iterdir()):
        if path.is_file() and path.name != MODULES_JSON and not path.name.startswith("sentence_"):
            (out / path.name).symlink_to(path.resolve())
    settings = folder / "config_sentence_transformers.json"
    if layout.late_interaction:
        # PyLate's settings are no others': markers are tokens of a text here.
        (out / settings.name).unlink(missing_ok=True)
    elif settings.is_file() and backbone != folder:
        shutil.copyfile(settings, out / settings.name)
    transformer = {
        "max_seq_length": layout.transformer.max_seq_length,
        "do_lower_case": layout.transformer.do_lower_case,
    }
    pooling = layout.pooling
    flags = {flag: mode in pooling.modes for flag, mode in LEGACY_POOLING.items()}
    flags["include_prompt"] = pooling.include_prompt
    _write(out / "sentence_bert_config.json", transformer)
    _write(out / "1_Pooling" / "config.json", {"word_embedding_dimension": pooling.dim} | flags)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    for number, module in enumerate(layout.tail, start=2):
        kind = type(module).__name__.removesuffix("Module")
        place = out / f"{number}_{kind}"
        _write(place / "config.json", _config_5(module))
        if isinstance(module, (DenseModule, LayerNormModule)):
            _place_weights(module, backbone, place)
        modules.append((place.name, kind))
    _write(
        out / MODULES_JSON,
        [
            {"idx": number, "name": str(number), "path": path, "type": _CLASSES + kind}
            for number, (path, kind) in enumerate(modules)
        ],
    )


def _place_weights(module: DenseModule | LayerNormModule, backbone: Path, place: Path) -> None:
    weights = module.folder / "model.safetensors"
    if module.folder != backbone:
        (place / weights.name).symlink_to(weights.resolve())
        return
    # Stanford's ColBERT has the projection among the weights of the backbone.
    from safetensors.numpy import save_file

    assert isinstance(module, DenseModule)
    shape = module.out_features, module.in_features
    matrix = read_float32(weight_files(module.folder), "linear.weight", shape)
    save_file({"linear.weight": matrix}, place / weights.name)


def _config_5(module: TailModule) -> dict[str, object]:
    if isinstance(module, DenseModule):
        place = "linear" if module.activation == "Identity" else "activation"
        return {
            "in_features": module.in_features,
            "out_features": module.out_features,
            "bias": module.bias,
            "activation_function": f"torch.nn.modules.{place}.{module.activation}",
        }
    if isinstance(module, LayerNormModule):
        return {"dimension": module.dim}
    return {}


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
