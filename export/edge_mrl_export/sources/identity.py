"""The identity of a transformer: what its vectors depend on, not how the folder was written."""

from __future__ import annotations

import hashlib
import json

from edge_mrl.bundle.manifest import LateInteraction
from edge_mrl_export.model import TokenizerSource
from edge_mrl_export.sources.model_files import read_object, weight_files
from edge_mrl_export.sources.modules import DenseModule, LayerNormModule, ModelLayout, TailModule
from edge_mrl_export.sources.safetensors_file import digest

_NO_EFFECT = frozenset(
    {
        "_name_or_path",
        "_attn_implementation_autoset",
        "architectures",
        "dtype",
        "gradient_checkpointing",
        "torch_dtype",
        "transformers_version",
        "use_cache",
    }
)
"""Fields of config.json that say where and with what the model was saved, not what it computes."""


def identity(
    layout: ModelLayout,
    tokenizer: TokenizerSource,
    late_interaction: LateInteraction | None = None,
    *,
    trust_remote_code: bool = False,
) -> str:
    """SHA-256, in hex, over the weights, the backbone's config, the tokenizer and the parsed
    modules.

    Code that the folder brings counts where it may run. A model saved by sentence-transformers 5
    and by 6 has one identity.
    """
    folder = layout.transformer.folder
    config = {
        key: value
        for key, value in read_object(folder / "config.json").items()
        if key not in _NO_EFFECT
    }
    pooling: dict[str, object] = {"dim": layout.pooling.dim, "modes": layout.pooling.modes}
    if not layout.pooling.include_prompt:
        pooling["include_prompt"] = False
    document: dict[str, object] = {
        "backbone": {"config": config, "weights": digest(weight_files(folder))},
        "tokenizer": {
            "sha256": hashlib.sha256(tokenizer.json).hexdigest(),
            "add_special_tokens": tokenizer.add_special_tokens,
            "max_tokens": tokenizer.max_tokens,
        },
        "pooling": pooling,
        "tail": [_canonical(module) for module in layout.tail],
    }
    if late_interaction is not None:
        document["late_interaction"] = late_interaction._asdict()
    if trust_remote_code:
        document["code"] = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.glob("*.py"))
        }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(module: TailModule) -> dict[str, object]:
    if isinstance(module, DenseModule):
        return {
            "kind": "Dense",
            "in_features": module.in_features,
            "out_features": module.out_features,
            "bias": module.bias,
            "activation": module.activation,
            "weights": digest(weight_files(module.folder)),
        }
    if isinstance(module, LayerNormModule):
        return {
            "kind": "LayerNorm",
            "dim": module.dim,
            "weights": digest(weight_files(module.folder)),
        }
    return {"kind": "Normalize"}
