"""The modules after the backbone as torch modules: pooling, Dense, LayerNorm, Normalize.

The same arithmetic as in `graphs/pooling.py` and `graphs/tail.py`, for texts padded on the right,
written with operations that every TFLite runtime since 2.14 has."""

from __future__ import annotations

import numpy as np
import torch

from edge_mrl.slices import FloatArray
from edge_mrl_export.sources.dense_weights import read_dense
from edge_mrl_export.sources.model_files import weight_files
from edge_mrl_export.sources.modules import (
    DenseModule,
    LayerNormModule,
    PoolingMode,
    PoolingModule,
    TailModule,
)
from edge_mrl_export.sources.safetensors_file import read_float32

_LEAST_WEIGHT = 1e-9
_LEAST_NORM = 1e-12
"""The guards against a division by zero of sentence-transformers and of torch's normalize."""

_FAR_BELOW = -1e30
"""Added to padding before a maximum; smaller than any activation, and finite, since minus infinity
times zero would be NaN."""


class PooledText(torch.nn.Module):
    """Token vectors to one vector: a Pooling module."""

    def __init__(self, module: PoolingModule) -> None:
        super().__init__()
        self._modes = module.modes
        self._include_prompt = module.include_prompt

    def forward(
        self, hidden: torch.Tensor, mask: torch.Tensor, prompt_tokens: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Pool (1, length, dim) under a mask (1, length) of 1 and 0, padded on the right; the first
        `prompt_tokens`, (1,), are left out where the module says so."""
        present = mask.to(torch.float32)
        if self._include_prompt or prompt_tokens is None:
            pooled = [_pool(mode, hidden, present) for mode in self._modes]
        else:
            places = torch.arange(mask.shape[1], dtype=torch.int32)
            present = present * (places >= prompt_tokens).to(torch.float32)
            pooled = [
                _first(hidden, present) if mode == "cls" else _pool(mode, hidden, present)
                for mode in self._modes
            ]
        return pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=1)


def _first(hidden: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    # 1 where a token stands and none precedes.
    preceding = torch.nn.functional.pad(present[:, :-1], (1, 0))
    return (hidden * (present * (1 - preceding)).unsqueeze(-1)).sum(dim=1)


def _pool(mode: PoolingMode, hidden: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    if mode == "cls":
        return hidden[:, 0]
    column = present.unsqueeze(-1)
    if mode == "max":
        return (hidden * column + (1 - column) * _FAR_BELOW).amax(dim=1)
    if mode == "lasttoken":
        # 1 where a token stands and none follows.
        following = torch.nn.functional.pad(present[:, 1:], (0, 1))
        return (hidden * (present * (1 - following)).unsqueeze(-1)).sum(dim=1)
    if mode == "weightedmean":
        places = torch.arange(1, present.shape[1] + 1, dtype=torch.float32)
        column = column * places.reshape(1, -1, 1)
    weight = column.sum(dim=1).clamp(min=_LEAST_WEIGHT)
    if mode == "mean_sqrt_len_tokens":
        weight = weight.sqrt()
    return (hidden * column).sum(dim=1) / weight


class UnitLength(torch.nn.Module):
    """Each row scaled to unit length; a row of zeros stays zero."""

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Scale (1, dim)."""
        norm = (vectors * vectors).sum(dim=1, keepdim=True).sqrt()
        return vectors / norm.clamp(min=_LEAST_NORM)


def tail_module(module: TailModule) -> torch.nn.Module:
    """One module after pooling, its weights read from its folder.

    Raises:
        ExportError: the weights are missing or do not fit the config.
    """
    if isinstance(module, DenseModule):
        return _dense(module)
    if isinstance(module, LayerNormModule):
        return _layer_norm(module)
    return UnitLength()


def _dense(module: DenseModule) -> torch.nn.Module:
    weights = read_dense(module)
    linear = torch.nn.Linear(module.in_features, module.out_features, bias=module.bias)
    linear.weight = _parameter(weights.matrix)
    if weights.bias is not None:
        linear.bias = _parameter(weights.bias)
    activation: torch.nn.Module = getattr(torch.nn, module.activation)()
    if weights.gains is None:
        return torch.nn.Sequential(linear, activation)
    return torch.nn.Sequential(_Gains(weights.gains), linear, activation)


class _Gains(torch.nn.Module):
    """Each coordinate times a number of its own."""

    def __init__(self, gains: FloatArray) -> None:
        super().__init__()
        self.gains = _parameter(gains)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Scale (1, dim)."""
        return vectors * self.gains


def _layer_norm(module: LayerNormModule) -> torch.nn.Module:
    files = weight_files(module.folder)
    norm = torch.nn.LayerNorm(module.dim)
    norm.weight = _parameter(read_float32(files, "norm.weight", (module.dim,)))
    norm.bias = _parameter(read_float32(files, "norm.bias", (module.dim,)))
    return norm


def _parameter(array: FloatArray) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.from_numpy(np.array(array)), requires_grad=False)
