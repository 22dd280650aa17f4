"""The whole encoder as one torch module with the inputs and the output that the runtime expects."""

from __future__ import annotations

import inspect

import torch
from transformers import AutoModel, PreTrainedModel

from edge_mrl_export.lite.modules import PooledText, UnitLength, tail_module
from edge_mrl_export.lite.token_types import fold_token_types
from edge_mrl_export.sources.modules_json import ModelLayout


class TextEncoder(torch.nn.Module):
    """Token ids to a unit vector of full width: backbone, pooling, the modules after it.

    Args:
        layout: the modules; weights are read from their folders.

    Raises:
        ExportError: a module's weights are missing or do not fit.
    """

    def __init__(self, layout: ModelLayout) -> None:
        super().__init__()
        self.backbone = _backbone(layout)
        fold_token_types(self.backbone)
        self.pooling = PooledText(layout.pooling)
        self.tail = torch.nn.Sequential(*map(tail_module, layout.tail), UnitLength())
        parameters = inspect.signature(self.backbone.forward).parameters
        self._takes_types = "token_type_ids" in parameters
        self._takes_cache = "use_cache" in parameters

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Embed one text: (1, length) int32 ids and mask to (1, dim) float32."""
        more: dict[str, object] = {}
        if self._takes_types:
            more["token_type_ids"] = torch.zeros_like(input_ids)
        if self._takes_cache:
            more["use_cache"] = False
        hidden = self.backbone(
            input_ids=input_ids, attention_mask=attention_mask, **more
        ).last_hidden_state
        return {"sentence_embedding": self.tail(self.pooling(hidden, attention_mask))}


def _backbone(layout: ModelLayout) -> PreTrainedModel:
    model: PreTrainedModel = AutoModel.from_pretrained(
        str(layout.transformer.folder),
        # The other implementations build their mask with GATHER_ND in a version that
        # tflite-runtime 2.14 refuses.
        attn_implementation="eager",
        dtype=torch.float32,
        local_files_only=True,
    )
    # T5 is trained as encoder and decoder; a sentence encoder is its first half.
    return model.get_encoder() if model.config.is_encoder_decoder else model
