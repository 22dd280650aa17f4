"""The transformer of a model folder as a torch module, for every exporter in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_mrl.errors import ExportError
from edge_mrl.schema import Table
from edge_mrl_export.sources.model_files import read_object, read_optional_object
from edge_mrl_export.sources.refusing import refusing
from edge_mrl_export.sources.safetensors_file import tensor_names

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

_ENCODER_HALVES = frozenset({"t5", "mt5"})
"""Trained as encoder and decoder, of which sentence-transformers loads the encoder alone."""


_LAYERS = ("num_hidden_layers", "num_layers", "n_layers", "n_layer")
"""How architectures call the number of their layers."""


def check_layers(folder: Path, weights: Sequence[Path]) -> None:
    """Refuse a config.json that declares more layers than there are weights for.

    transformers would make the rest up, for as long as the memory lasts.

    Args:
        folder: holds config.json.
        weights: its safetensors files.

    Raises:
        ExportError: it does, or the weights are not whole.
    """
    path = folder / "config.json"
    config = Table(read_object(path), str(path), ExportError)
    stored = len(tensor_names(weights))
    for key in _LAYERS:
        layers = config.optional_integer(key, 0, 2**63)
        if layers is not None and layers > stored:
            config.fail(
                f"{key} is {layers}, but the weights hold {stored} tensors: the config and the "
                "weights are of different models"
            )


def read_config(folder: Path, *, trust_remote_code: bool = False) -> PretrainedConfig:
    """The backbone's configuration.

    Raises:
        ExportError: transformers does not know the architecture, or it is one of encoder and
            decoder that sentence-transformers does not cut in half either.
    """
    from transformers import AutoConfig

    with refusing(f"transformers cannot read the model in {folder}"):
        try:
            config = AutoConfig.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=trust_remote_code
            )
        except ValueError as error:
            if trust_remote_code or "auto_map" not in read_optional_object(folder / "config.json"):
                raise
            raise ExportError(
                f"the model in {folder} brings code of its own, which is not run unasked: read it, "
                "and give --trust-remote-code if you trust it"
            ) from error
    if config.is_encoder_decoder and config.model_type not in _ENCODER_HALVES:
        raise ExportError(
            f"{folder} holds an encoder and a decoder ({config.model_type}): of these only "
            f"{' and '.join(sorted(_ENCODER_HALVES))} can be exported, as their encoder"
        )
    return config


def is_encoder_half(config: PretrainedConfig) -> bool:
    """Whether only the encoder of a model of two halves is used."""
    # The flag is_encoder_decoder is false where only the encoder was saved.
    return config.model_type in _ENCODER_HALVES


def load_backbone(
    folder: Path, *, attention: str | None = None, trust_remote_code: bool = False
) -> PreTrainedModel:
    """Load the model as sentence-transformers does, in float32 on the CPU.

    Args:
        folder: holds config.json, weights and perhaps code.
        attention: the implementation of attention by its name in transformers, or None for the
            library's own choice.
        trust_remote_code: whether the folder's own code may run.

    Raises:
        ExportError: the architecture is not known or the weights do not fit.
    """
    import torch
    from transformers import AutoModel, AutoModelForTextEncoding

    config = read_config(folder, trust_remote_code=trust_remote_code)
    kind = AutoModelForTextEncoding if is_encoder_half(config) else AutoModel
    with refusing(f"transformers cannot load the model in {folder}"):
        model: PreTrainedModel = kind.from_pretrained(
            str(folder),
            attn_implementation=attention,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=trust_remote_code,
        )
    return model.eval()
