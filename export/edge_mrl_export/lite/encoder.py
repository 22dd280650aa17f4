"""The encoder as torch modules with the inputs and outputs that the runtime expects."""

from __future__ import annotations

import inspect

import torch

from edge_mrl_export.lite.attention import fitting_attention
from edge_mrl_export.lite.modules import PooledText, UnitLength, tail_module
from edge_mrl_export.lite.token_types import fold_token_types
from edge_mrl_export.sources.backbone import load_backbone, read_config
from edge_mrl_export.sources.modules import ModelLayout, NormalizeModule


class TextEncoder(torch.nn.Module):
    """Token ids to a unit vector of full width: backbone, pooling, the modules after it.

    Args:
        layout: the modules; weights are read from their folders.
        trust_remote_code: whether code in the model's folder may run.
        token_vectors: whether the last hidden state of each token is given, too.

    Raises:
        ExportError: the architecture is unknown, or a module's weights are missing or do not fit.
    """

    def __init__(
        self, layout: ModelLayout, *, trust_remote_code: bool = False, token_vectors: bool = False
    ) -> None:
        super().__init__()
        folder = layout.transformer.folder
        config = read_config(folder, trust_remote_code=trust_remote_code)
        self.backbone = load_backbone(
            folder, attention=fitting_attention(config), trust_remote_code=trust_remote_code
        )
        fold_token_types(self.backbone)
        self.pooling = PooledText(layout.pooling)
        self.after_pooling = AfterPooling(layout)
        self._token_vectors = token_vectors
        parameters = inspect.signature(self.backbone.forward).parameters
        self._takes_types = "token_type_ids" in parameters
        self._takes_cache = "use_cache" in parameters

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        prompt_tokens: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Embed one text: (1, length) int32 ids and mask to (1, dim) float32, and perhaps
        (1, length, hidden). `prompt_tokens`, (1,) int32, is given where the model leaves its
        prompts out of pooling."""
        more: dict[str, object] = {}
        if self._takes_types:
            more["token_type_ids"] = torch.zeros_like(input_ids)
        if self._takes_cache:
            more["use_cache"] = False
        hidden = self.backbone(
            input_ids=input_ids, attention_mask=attention_mask, **more
        ).last_hidden_state
        found: dict[str, torch.Tensor] = self.after_pooling(
            self.pooling(hidden, attention_mask, prompt_tokens)
        )
        return found | {"token_embeddings": hidden} if self._token_vectors else found


class AfterPooling(torch.nn.Module):
    """The modules after pooling, of which every row is a vector of its own: of a text or, where
    token vectors are wanted, of a token.

    Args:
        layout: the modules; weights are read from their folders.

    Raises:
        ExportError: a module's weights are missing or do not fit.
    """

    def __init__(self, layout: ModelLayout) -> None:
        super().__init__()
        self.modules_in_order = torch.nn.Sequential(*map(tail_module, layout.tail), UnitLength())

    def forward(self, token_embeddings: torch.Tensor) -> dict[str, torch.Tensor]:
        """Pass on (rows, hidden) to (rows, dim) of unit length."""
        return {"sentence_embedding": self.modules_in_order(token_embeddings)}


def turns_rows(layout: ModelLayout) -> bool:
    """Whether the modules after pooling do more than scale a row, which the runtime does itself."""
    return not all(isinstance(module, NormalizeModule) for module in layout.tail)
