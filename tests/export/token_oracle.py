"""Token vectors of the small models of `st_models`, from sentence-transformers and float64."""

from __future__ import annotations

import numpy as np
from scipy.special import erf

from tests.export.st_models import ADAPTER


def unit(rows):
    """Rows of unit length; zeros stay zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths == 0, 1, lengths)


def adapted(rows):
    """What the modules after pooling make of each row, in float64."""
    first, second = (
        {name: values.astype(np.float64) for name, values in module.weights.items()}
        for module in ADAPTER[:2]
    )
    inner = rows.astype(np.float64) @ first["linear.weight"].T + first["linear.bias"]
    inner = inner / 2 * (1 + erf(inner / np.sqrt(2)))
    return inner @ second["linear.weight"].T + second["linear.bias"]


def token_oracle(folder):
    """A function that gives the token vectors of texts at a size."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)

    def tokens(texts, dim):
        found = [model.encode([text], output_value="token_embeddings")[0] for text in texts]
        return [unit(adapted(rows.numpy())[:, :dim]) for rows in found]

    return tokens
