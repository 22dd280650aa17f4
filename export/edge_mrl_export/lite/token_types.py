"""Token types of a text encoder, of which every token has the first, put into the positions.

BERT adds three embeddings: word, position and token type. For a sentence the last is one and the
same row, but the converter writes it out for every position of every signature."""

from __future__ import annotations

import torch


def fold_token_types(backbone: torch.nn.Module) -> None:
    """Add the first token type to every position, and the type embedding to nothing from then on.

    A backbone without both tables stays as it is. Vectors change by float32 rounding only.
    """
    embeddings = getattr(backbone, "embeddings", None)
    types = getattr(embeddings, "token_type_embeddings", None)
    positions = getattr(embeddings, "position_embeddings", None)
    if not isinstance(types, torch.nn.Embedding) or not isinstance(positions, torch.nn.Embedding):
        return
    if getattr(embeddings, "position_embedding_type", "absolute") != "absolute":
        return
    with torch.no_grad():
        positions.weight += types.weight[0]
    assert isinstance(embeddings, torch.nn.Module)
    embeddings.token_type_embeddings = _Nothing()


class _Nothing(torch.nn.Module):
    """Stands where a table was."""

    def forward(self, token_type_ids: torch.Tensor) -> torch.Tensor:
        """A zero that adds to anything."""
        return torch.zeros(())
