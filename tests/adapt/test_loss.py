"""The loss against scipy in float64, from its published formula."""

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax

from edge_mrl_export.adapt.loss import matryoshka_loss


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_scipy(own, adapted, dims, temperature):
    """Row by row: the divergence between what the two say of the other texts."""
    total = 0.0
    for dim in dims:
        cut = unit(adapted[:, :dim])
        for row in range(len(own)):
            others = np.arange(len(own)) != row
            wanted = softmax((own @ own[row])[others] / temperature)
            found = softmax((cut @ cut[row])[others] / temperature)
            total += rel_entr(wanted, found).sum() / len(own)
    return total


@pytest.mark.parametrize("dims", [(4,), (2, 8), (1, 3, 8)])
def test_the_loss_is_the_sum_over_the_sizes(dims):
    random = np.random.default_rng(0)
    own, adapted = unit(random.normal(size=(20, 8))), unit(random.normal(size=(20, 8)))
    loss = matryoshka_loss(torch.from_numpy(own), torch.from_numpy(adapted), dims, 0.1)
    assert loss.item() == pytest.approx(by_scipy(own, adapted, dims, 0.1), rel=1e-9)


def test_vectors_that_keep_every_cosine_lose_nothing():
    random = np.random.default_rng(1)
    own = unit(random.normal(size=(20, 8)))
    turned = own @ np.linalg.qr(random.normal(size=(8, 8)))[0]
    loss = matryoshka_loss(torch.from_numpy(own), torch.from_numpy(turned), (8,))
    assert loss.item() == pytest.approx(0, abs=1e-9)
