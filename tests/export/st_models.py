"""Small sentence-transformers folders in the layouts of 5 and 6, and plain ONNX sessions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from edge_mrl_export.model import TokenizerSource
from edge_mrl_export.sources.modules_json import LEGACY_POOLING

HIDDEN = 32
VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"abcdefghijklmnopqrstuvwxyz0123456789.,!?東京天気",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"),
]
TEXTS = (
    "",
    " ",
    "the heron waits in the reeds.",
    "zip 3 files, fast!",
    "東京の天気",
    "🦆👩🏽‍🚀 emoji",
    "de\u0301compose\u0301d, Ünïcödé",
    "a long text " * 200,
)
_CLASSES = {
    5: dict.fromkeys(
        ("Transformer", "Pooling", "Dense", "LayerNorm", "Normalize"),
        "sentence_transformers.models",
    ),
    6: {
        "Transformer": "sentence_transformers.base.modules.transformer",
        "Pooling": "sentence_transformers.sentence_transformer.modules.pooling",
        "Dense": "sentence_transformers.base.modules.dense",
        "LayerNorm": "sentence_transformers.sentence_transformer.modules.layer_norm",
        "Normalize": "sentence_transformers.base.modules.normalize",
    },
}


@dataclass(frozen=True)
class Module:
    """One module after pooling: kind, config, and its weights."""

    kind: str
    config: Mapping[str, object] = field(default_factory=dict)
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)


def dense(size_in: int, size_out: int, activation: str, seed: int, *, bias: bool = True) -> Module:
    """A Dense module with random weights; `activation` is a class path below torch.nn.modules."""
    rng = np.random.default_rng(seed)
    weights = {"linear.weight": rng.normal(size=(size_out, size_in)).astype(np.float32)}
    if bias:
        weights["linear.bias"] = rng.normal(size=size_out).astype(np.float32)
    config = {
        "in_features": size_in,
        "out_features": size_out,
        "bias": bias,
        "activation_function": f"torch.nn.modules.{activation}",
    }
    return Module("Dense", config, weights)


def layer_norm(dim: int, seed: int) -> Module:
    """A LayerNorm module with random weights."""
    rng = np.random.default_rng(seed)
    weights = {
        name: rng.normal(size=dim).astype(np.float32) for name in ("norm.weight", "norm.bias")
    }
    return Module("LayerNorm", {"dimension": dim}, weights)


ADAPTER = (
    dense(HIDDEN, 64, "activation.GELU", 1),
    dense(64, 48, "linear.Identity", 2),
    Module("Normalize"),
)


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_tokenizer(folder: Path) -> None:
    """A WordPiece tokenizer of single letters, whose file carries truncation and padding."""
    from transformers import BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64)
    tokenizer.save_pretrained(folder)
    stored = Tokenizer.from_file(str(folder / "tokenizer.json"))
    stored.enable_truncation(7)
    stored.enable_padding(length=7)
    stored.save(str(folder / "tokenizer.json"))


def write_bert(folder: Path) -> None:
    """A randomly initialised two-layer BERT with its tokenizer. The same every time."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        # Larger than usual: with 0.02 all texts would get nearly one vector.
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(folder)
    write_tokenizer(folder)


def write_modules(
    folder: Path,
    style: int,
    tail: Sequence[Module] = ADAPTER,
    *,
    transformer: Mapping[str, object] | None = None,
    dims: Sequence[int] | None = (8, 16, 48),
    pooling_mode: str = "mean",
    include_prompt: bool = True,
    prompts: Mapping[str, str] | None = None,
) -> Path:
    """Write everything beside the backbone, as sentence-transformers of that version does."""
    from safetensors.numpy import save_file

    pooling: dict[str, object] = {"include_prompt": include_prompt}
    if style == 5:
        flag = next(flag for flag, mode in LEGACY_POOLING.items() if mode == pooling_mode)
        pooling |= {"word_embedding_dimension": HIDDEN, flag: True}
    else:
        pooling |= {"embedding_dimension": HIDDEN, "pooling_mode": pooling_mode}
    modules = [Module("Transformer"), Module("Pooling", pooling), *tail]
    entries = []
    for number, module in enumerate(modules):
        path = f"{number}_{module.kind}" if number else ""
        kind = f"{_CLASSES[style][module.kind]}.{module.kind}"
        entries.append({"idx": number, "name": str(number), "path": path, "type": kind})
        config = dict(module.config)
        if style == 6 and module.kind in ("Dense", "Normalize"):
            config |= {"module_input_name": "sentence_embedding"}
        if config:
            write_json(folder / path / "config.json", config)
        if module.weights:
            save_file(dict(module.weights), folder / path / "model.safetensors")
    write_json(folder / "modules.json", entries)
    write_json(
        folder / "sentence_bert_config.json",
        transformer or {"max_seq_length": 32, "do_lower_case": False},
    )
    write_json(
        folder / "config_sentence_transformers.json",
        {
            "prompts": {"query": "find: "} if prompts is None else dict(prompts),
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    )
    if dims is not None:
        write_json(folder / "mrl.json", {"matryoshka_dims": list(dims)})
    return folder


def token_ids(tokenizer: TokenizerSource, texts: Sequence[str]) -> list[list[int]]:
    """Ids as a device makes them: special tokens added, cut to max_tokens."""
    loaded = Tokenizer.from_str(tokenizer.json.decode())
    if tokenizer.max_tokens is not None:
        loaded.enable_truncation(tokenizer.max_tokens)
    return [encoding.ids for encoding in loaded.encode_batch(list(texts))]


class Session:
    """An ONNX file in plain onnxruntime, one thread."""

    def __init__(self, model: Path | bytes, options: Mapping[str, str] | None = None) -> None:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        settings.log_severity_level = 3
        for key, value in (options or {}).items():
            settings.add_session_config_entry(key, value)
        source = model if isinstance(model, bytes) else str(model)
        self.inner = onnxruntime.InferenceSession(
            source, settings, providers=["CPUExecutionProvider"]
        )

    def embed(self, ids: Sequence[Sequence[int]], dim: int, pad_id: int = 0) -> np.ndarray:
        """One padded batch: (n, dim)."""
        longest = max(map(len, ids))
        tokens = np.full((len(ids), longest), pad_id, dtype=np.int64)
        mask = np.zeros_like(tokens)
        for row, line in enumerate(ids):
            tokens[row, : len(line)] = line
            mask[row, : len(line)] = 1
        feed = {
            "input_ids": tokens,
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(tokens),
            "dim": np.array([dim], dtype=np.int64),
        }
        names = [value.name for value in self.inner.get_inputs()]
        (vectors,) = self.inner.run(None, {name: feed[name] for name in names})
        return np.asarray(vectors)

    def embed_alone(self, ids: Sequence[Sequence[int]], dim: int) -> np.ndarray:
        """Each text by itself: (n, dim)."""
        return np.concatenate([self.embed([line], dim) for line in ids])
