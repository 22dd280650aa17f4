"""The whole encoder as one torch module with the inputs and the output that the runtime expects."""

from __future__ import annotations

import inspect

import torch

from edge_mrl_export.lite.attention import fitting_attention
from edge_mrl_export.lite.modules import PooledText, UnitLength, tail_module
from edge_mrl_export.lite.token_types import fold_token_types
from edge_mrl_export.sources.backbone import load_backbone, read_config
from edge_mrl_export.sources.modules import ModelLayout


class TextEncoder(torch.nn.Module):
    """Token ids to a unit vector of full width: backbone, pooling, the modules after it.

    Args:
        layout: the modules; weights are read from their folders.
        trust_remote_code: whether code in the model's folder may run.

    Raises:
        ExportError: the architecture is unknown, or a module's weights are missing or do not fit.
    """

    def __init__(self, layout: ModelLayout, *, trust_remote_code: bool = False) -> None:
        super().__init__()
        folder = layout.transformer.folder
        config = read_config(folder, trust_remote_code=trust_remote_code)
        self.backbone = load_backbone(
            folder, attention=fitting_attention(config), trust_remote_code=trust_remote_code
        )
        fold_token_types(self.backbone)
        self.pooling = PooledText(layout.pooling)
        self.tail = torch.nn.Sequential(*map(tail_module, layout.tail), UnitLength())
        parameters = inspect.signature(self.backbone.forward).parameters
        self._takes_types = "token_type_ids" in parameters
        self._takes_cache = "use_cache" in parameters

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        prompt_tokens: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Embed one text: (1, length) int32 ids and mask to (1, dim) float32. `prompt_tokens`, (1,)
        int32, is given where the model leaves its prompts out of pooling."""
        more: dict[str, object] = {}
        if self._takes_types:
            more["token_type_ids"] = torch.zeros_like(input_ids)
        if self._takes_cache:
            more["use_cache"] = False
        hidden = self.backbone(
            input_ids=input_ids, attention_mask=attention_mask, **more
        ).last_hidden_state
        return {
            "sentence_embedding": self.tail(self.pooling(hidden, attention_mask, prompt_tokens))
        }
