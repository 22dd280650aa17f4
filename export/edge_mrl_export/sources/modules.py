"""The modules of a sentence-transformers model in the one form in which the exporter reads them,
whatever wrote them down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Activation = Literal["Identity", "Tanh", "GELU", "ReLU", "Sigmoid", "SiLU"]
PoolingMode = Literal["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


@dataclass(frozen=True, slots=True)
class TransformerModule:
    """The backbone: `folder` holds config.json, weights and tokenizer; lengths are in tokens."""

    folder: Path
    max_seq_length: int | None
    do_lower_case: bool


@dataclass(frozen=True, slots=True)
class PoolingModule:
    """Token vectors of `dim` numbers to one vector: each mode's result, joined in this order."""

    dim: int
    modes: tuple[PoolingMode, ...]
    include_prompt: bool


@dataclass(frozen=True, slots=True)
class DenseModule:
    """activation(x @ weight.T + bias); `folder` holds the weights."""

    folder: Path
    in_features: int
    out_features: int
    bias: bool
    activation: Activation


@dataclass(frozen=True, slots=True)
class LayerNormModule:
    """torch.nn.LayerNorm over the vector; `folder` holds the weights."""

    folder: Path
    dim: int


@dataclass(frozen=True, slots=True)
class NormalizeModule:
    """Scale to unit length."""


TailModule = DenseModule | LayerNormModule | NormalizeModule


@dataclass(frozen=True, slots=True)
class ModelLayout:
    """The modules in order. `dim` is the width of the final vector. A model of `late_interaction`
    has no pooling of its own; the mean stands for it."""

    transformer: TransformerModule
    pooling: PoolingModule
    tail: tuple[TailModule, ...]
    late_interaction: bool = False

    @property
    def dim(self) -> int:
        """Width of the final vector."""
        width = len(self.pooling.modes) * self.pooling.dim
        for module in self.tail:
            if isinstance(module, DenseModule):
                width = module.out_features
        return width
