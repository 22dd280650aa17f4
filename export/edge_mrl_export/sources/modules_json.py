"""What a sentence-transformers folder says its modules are: modules.json and each module's config,
parsed.

Versions 5 and 6 write other class paths and other config keys for the same thing; both are read to
one form. Nothing here imports torch or sentence-transformers.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TypeVar, get_args

from edge_mrl.errors import ExportError
from edge_mrl.schema import Table
from edge_mrl.slices import MAX_DIM
from edge_mrl_export.sources.model_files import read_json, read_object, read_optional_object
from edge_mrl_export.sources.modules import (
    Activation,
    DenseModule,
    LayerNormModule,
    ModelLayout,
    NormalizeModule,
    PoolingMode,
    PoolingModule,
    TailModule,
    TransformerModule,
)

Choice = TypeVar("Choice", bound=str)

MODULES_JSON = "modules.json"
KNOWN_MODULES = (
    "Transformer",
    "Pooling",
    "Dense",
    "LayerNorm",
    "Normalize",
    "StaticEmbedding",
)
LEGACY_POOLING: dict[str, PoolingMode] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Version 5's flags, in the order in which sentence-transformers joins several pooled vectors."""

# Before version 3 the file was named after the architecture.
TRANSFORMER_CONFIGS = (
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
)
_TEXT_FORWARD = {"method": "forward", "method_output_name": "last_hidden_state"}

_LONGEST_NAME = 255
"""Bytes of a file's name on the common file systems."""


def read_layout(folder: Path) -> ModelLayout:
    """Parse a sentence-transformers folder, of layout 5 or 6.

    Raises:
        ExportError: a file is missing or wrong, a module, pooling mode or activation is unknown, or
            the modules do not fit together.
    """
    if not folder.is_dir():
        raise ExportError(
            f"{folder} is not a folder: give the path of a sentence-transformers model"
        )
    entries = module_entries(folder)
    kinds = [kind for kind, _ in entries]
    late = kinds[:1] == ["Transformer"] and set(kinds[1:]) == {"Dense"}
    if not late and kinds[:2] != ["Transformer", "Pooling"]:
        raise ExportError(
            f"{folder / MODULES_JSON} begins with {' -> '.join(kinds[:2]) or 'nothing'}: "
            "only models that begin with Transformer -> Pooling, and ColBERT models of Transformer "
            "and Dense modules, can be exported"
        )
    transformer = _transformer(entries[0][1])
    if late:
        # What takes each token here stands after pooling in other models.
        dense = tuple(_dense(path, "token_embeddings") for _, path in entries[1:])
        pooling = PoolingModule(dense[0].in_features, ("mean",), include_prompt=True)
        tail: tuple[TailModule, ...] = (*dense, NormalizeModule())
    else:
        pooling = _pooling(entries[1][1])
        tail = tuple(_tail(kind, path) for kind, path in entries[2:])
    layout = ModelLayout(transformer, pooling, tail, late)
    _check_widths(folder, layout)
    return layout


def module_entries(folder: Path) -> list[tuple[str, Path]]:
    """Kind and folder of each module that modules.json lists.

    Raises:
        ExportError: the file is missing or wrong, names an unknown module, or a place outside the
            model folder.
    """
    path = folder / MODULES_JSON
    found = []
    for entry in Table({"modules": read_json(path)}, str(path), ExportError).tables(
        "modules", max_items=100
    ):
        name = entry.text("type")
        match = re.fullmatch(r"(?:sentence_transformers|pylate)\.(?:\w+\.)*(\w+)", name)
        if match is None or match[1] not in KNOWN_MODULES:
            raise ExportError(
                f"{path} names the module {name[:100]!r}, which cannot be exported: "
                f"known modules are {', '.join(KNOWN_MODULES)}"
            )
        where = PurePosixPath(entry.text("path"))
        said = str(where)
        if where.is_absolute() or ".." in where.parts or not said.isprintable():
            raise ExportError(
                f"{path} points outside the model folder ({said[:100]!r}): save the model again"
            )
        if len(said.encode()) > _LONGEST_NAME:
            raise ExportError(
                f"{path} names a folder of {len(said)} characters, which no disk holds "
                f"({said[:100]!r}): save the model again"
            )
        found.append((match[1], folder / where))
    return found


def _transformer(folder: Path) -> TransformerModule:
    present = [folder / name for name in TRANSFORMER_CONFIGS if (folder / name).is_file()]
    raw = read_object(present[0]) if present else {}
    config = Table(raw, str(present[0] if present else folder), ExportError)
    task = config.optional_text("transformer_task")
    if task not in (None, "feature-extraction"):
        config.fail(
            f"the task {task!r} does not give embeddings: only feature-extraction can be exported"
        )
    if "modality_config" in config:
        modalities = config.table("modality_config")
        if "text" not in modalities or raw["modality_config"] != {"text": _TEXT_FORWARD}:
            config.fail("only models of text, read from the last hidden state, can be exported")
    for key in (
        "processing_kwargs",
        "model_args",
        "model_kwargs",
        "tokenizer_args",
        "processor_kwargs",
    ):
        if raw.get(key):
            config.fail(
                f"{key} changes how the model is loaded or fed, which cannot be exported: remove it"
            )
    return TransformerModule(
        folder=folder,
        max_seq_length=config.optional_integer("max_seq_length", 1, 10**6),
        do_lower_case=config.flag("do_lower_case") if "do_lower_case" in config else False,
    )


def _pooling(folder: Path) -> PoolingModule:
    path = folder / "config.json"
    raw = read_object(path)
    config = Table(raw, str(path), ExportError)
    modes: tuple[PoolingMode, ...]
    if "pooling_mode" in config:
        given = raw["pooling_mode"]
        names = (given,) if isinstance(given, str) else config.texts("pooling_mode")
        modes = tuple(
            _choice(config, "pooling mode", name, get_args(PoolingMode)) for name in names
        )
    else:
        known = {
            *LEGACY_POOLING,
            "include_prompt",
            "word_embedding_dimension",
            "embedding_dimension",
        }
        for key in config:
            if key not in known and raw[key]:
                config.fail(f"{key} is not a pooling mode that can be exported")
        flagged = (
            mode for key, mode in LEGACY_POOLING.items() if key in config and config.flag(key)
        )
        # sentence-transformers takes the mean where no flag is set.
        modes = tuple(flagged) or ("mean",)
    if not modes:
        config.fail("pooling_mode is empty: name at least one mode")
    width = "embedding_dimension" if "embedding_dimension" in config else "word_embedding_dimension"
    return PoolingModule(
        dim=config.integer(width, 1, MAX_DIM),
        modes=modes,
        include_prompt=config.flag("include_prompt") if "include_prompt" in config else True,
    )


def _tail(kind: str, folder: Path) -> TailModule:
    if kind == "Dense":
        return _dense(folder, "sentence_embedding")
    # Version 5 writes no folder for Normalize.
    config = _config(folder, "sentence_embedding", needed=kind != "Normalize")
    if kind == "LayerNorm":
        return LayerNormModule(folder, config.integer("dimension", 1, MAX_DIM))
    if kind == "Normalize":
        return NormalizeModule()
    raise ExportError(f"{folder} is a second {kind}: only one can be exported")


def _config(folder: Path, taken: str, *, needed: bool) -> Table:
    """The config of a module that takes what is named so."""
    path = folder / "config.json"
    raw = read_object(path) if needed else read_optional_object(path)
    config = Table(raw, str(path), ExportError)
    for key in ("module_input_name", "module_output_name"):
        if config.optional_text(key) not in (None, taken):
            config.fail(f"{key} is {raw[key]!r}: only modules on {taken} can be exported here")
    if raw.get("use_residual"):
        config.fail("use_residual adds a module's input to its output, which cannot be exported")
    return config


def _dense(folder: Path, taken: str) -> DenseModule:
    config = _config(folder, taken, needed=True)
    # sentence-transformers' own default is Tanh.
    name = config.optional_text("activation_function") or "torch.nn.modules.activation.Tanh"
    short = name.rpartition(".")[2] if name.startswith("torch.nn.") else name
    return DenseModule(
        folder=folder,
        in_features=config.integer("in_features", 1, MAX_DIM),
        out_features=config.integer("out_features", 1, MAX_DIM),
        bias=config.flag("bias") if "bias" in config else True,
        activation=_choice(config, "activation", short, get_args(Activation)),
    )


def _choice(config: Table, what: str, value: str, choices: tuple[Choice, ...]) -> Choice:
    for choice in choices:
        if value == choice:
            return choice
    config.fail(f"the {what} {value!r} cannot be exported; known are {', '.join(choices)}")


def _check_widths(folder: Path, layout: ModelLayout) -> None:
    width = len(layout.pooling.modes) * layout.pooling.dim
    for module in layout.tail:
        if isinstance(module, NormalizeModule):
            continue
        expected = module.in_features if isinstance(module, DenseModule) else module.dim
        if expected != width:
            raise ExportError(
                f"{module.folder} takes {expected} numbers but the module before it in "
                f"{folder / MODULES_JSON} gives {width}: the configs are of different models"
            )
        width = module.out_features if isinstance(module, DenseModule) else width
