"""The loss of an adapter: at every trained size, texts should be as near to each other as the model
itself has them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

TEMPERATURE = 0.05
"""Cosines are divided by it, as in contrastive training of such models (0.05 in
sentence-transformers' MultipleNegativesRankingLoss): a text's few nearest neighbours then carry
most of the weight."""

_NEVER = -1e4
"""Stands for minus infinity, whose product with a probability of zero would be NaN."""


def matryoshka_loss(
    own: torch.Tensor, adapted: torch.Tensor, dims: Sequence[int], temperature: float = TEMPERATURE
) -> torch.Tensor:
    """Sum over the sizes of a distillation loss, each size with weight 1.

    The sum over sizes is that of Kusupati et al., "Matryoshka Representation Learning", 2022 (arXiv
    2205.13147, equation 1). The loss of one size is the mean Kullback-Leibler divergence between
    two distributions over the other texts of the batch, the softmax of cosine / temperature: by the
    model's own vectors, and by the renormalised prefix.

    Args:
        own: (n, D) unit vectors of the model.
        adapted: (n, d) what the adapter makes of them.
        dims: sizes, each at most d.
        temperature: what cosines are divided by.

    Returns:
        A scalar.
    """
    wanted = _neighbourhoods(own, temperature)
    total = adapted.new_zeros(())
    for dim in dims:
        found = _neighbourhoods(functional.normalize(adapted[:, :dim]), temperature)
        total = total + functional.kl_div(found, wanted, reduction="batchmean", log_target=True)
    return total


def _neighbourhoods(unit: torch.Tensor, temperature: float) -> torch.Tensor:
    """(n, n) log of the probability that each text picks each other one."""
    itself = torch.eye(len(unit), dtype=torch.bool)
    return functional.log_softmax((unit @ unit.T / temperature).masked_fill(itself, _NEVER), dim=1)
