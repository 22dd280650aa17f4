"""The adapter: two Dense layers on a model's frozen unit vectors.

It starts as an exact turn of the vectors to their principal axes, which puts first what varies
most and leaves every cosine at full width as it was; training goes on from there. The turn passes
a GELU unharmed because GELU(x) - GELU(-x) = x Phi(x) + x Phi(-x) = x (Hendrycks, Gimpel 2016,
arXiv 1606.08415): one unit carries each axis, another its negative. Further units begin without a
say in the result."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch

from edge_mrl.slices import FloatArray

FREE_SHARE = 2
"""Hidden units beside those of the turn, as a multiple of the width: 384 -> 1536 -> 384."""


class Adapter(torch.nn.Module):
    """Dense(width -> hidden, GELU), Dense(hidden -> out), unit length.

    Args:
        vectors: (n, width) float32 unit vectors, whose principal axes it starts from.
        out: width of the result, at most that of `vectors`.
    """

    def __init__(self, vectors: torch.Tensor, out: int) -> None:
        super().__init__()
        width = vectors.shape[1]
        hidden = 2 * out + FREE_SHARE * width
        self.inner = torch.nn.Linear(width, hidden)
        self.outer = torch.nn.Linear(hidden, out)
        # Of vectors that are fewer than their width, eigh still gives a whole basis.
        axes = torch.linalg.eigh(vectors.T @ vectors).eigenvectors.flip(1).T[:out]
        with torch.no_grad():
            self.inner.weight[:out] = axes
            self.inner.weight[out : 2 * out] = -axes
            self.inner.bias.zero_()
            self.outer.weight.zero_()
            self.outer.weight[:, :out] = torch.eye(out)
            self.outer.weight[:, out : 2 * out] = -torch.eye(out)
            self.outer.bias.zero_()

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """(n, width) to (n, out), rows of unit length."""
        inner = torch.nn.functional.gelu(self.inner(vectors))
        return torch.nn.functional.normalize(self.outer(inner))

    def apply_to(self, vectors: FloatArray) -> FloatArray:
        """The same on numpy arrays, without gradients."""
        with torch.no_grad():
            return cast("FloatArray", self(torch.from_numpy(vectors)).numpy())

    def layers(self) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
        """Weight and bias of both Dense layers."""
        return _arrays(self.inner), _arrays(self.outer)


def _arrays(layer: torch.nn.Linear) -> tuple[FloatArray, FloatArray]:
    found = (np.array(part.detach().numpy()) for part in (layer.weight, layer.bias))
    weight, bias = found
    return weight, bias
