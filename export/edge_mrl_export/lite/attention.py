"""Attention as the converter gets it right."""

from __future__ import annotations

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PretrainedConfig
from transformers.masking_utils import eager_mask

EAGER = "eager"
"""transformers' plain one. The others build their mask with GATHER_ND in a version that
tflite-runtime 2.14 refuses."""

SHARED_HEAD = "edge_mrl_shared_head"
"""The same arithmetic for models whose query heads share one head of keys and values (Gemma).

transformers broadcasts that head; litert-torch 0.10 then writes a matrix product of ranks 3 and 2
that multiplies wrongly. Copies of the head keep the ranks alike."""


def fitting_attention(config: PretrainedConfig) -> str:
    """The name of the implementation that this model needs."""
    shared = getattr(config, "num_key_value_heads", None) == 1 and config.num_attention_heads > 1
    return SHARED_HEAD if shared else EAGER


def _shared_head(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    softcap: float | None = None,
    **_: object,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Softmax(query keyT scaling + mask) value, of (1, heads, length, width); one head of keys."""
    heads = query.shape[1]
    key, value = torch.cat([key] * heads, dim=1), torch.cat([value] * heads, dim=1)
    scores = query @ key.transpose(2, 3) * scaling
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = torch.softmax(scores, dim=-1)
    return (weights @ value).transpose(1, 2).contiguous(), weights


AttentionInterface.register(SHARED_HEAD, _shared_head)
AttentionMaskInterface.register(SHARED_HEAD, eager_mask)
