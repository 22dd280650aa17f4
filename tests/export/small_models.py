"""Randomly initialised backbones of several architectures, each with a tokenizer of its kind."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.export.st_models import ADAPTER, HIDDEN, VOCABULARY, Module, dense, write_modules

LETTERS = VOCABULARY[5:]
SHAPE: dict[str, Any] = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    # Larger than usual: with 0.02 all texts would get nearly one vector.
    "initializer_range": 0.3,
}


@dataclass(frozen=True)
class Architecture:
    """How to write one model: special tokens in the order of their ids (padding, unknown, and
    those put before and after a text), the backbone, and what sentence-transformers adds."""

    padding: int
    special: tuple[str, ...]
    opening: str
    closing: str
    model: Callable[[int], Any]
    padding_side: str = "right"
    pooling_mode: str = "mean"
    tail: Sequence[Module] = ADAPTER
    dims: tuple[int, ...] = (8, 16, 48)
    prompts: Mapping[str, str] = field(default_factory=dict)


def write_model(folder: Path, architecture: Architecture) -> Path:
    """Write a whole sentence-transformers folder. The same every time."""
    write_backbone(folder, architecture)
    return write_modules(
        folder,
        5,
        architecture.tail,
        dims=architecture.dims,
        pooling_mode=architecture.pooling_mode,
        prompts=architecture.prompts,
    )


def write_backbone(folder: Path, architecture: Architecture) -> None:
    """Write config, weights and tokenizer. The same every time."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = [*architecture.special, *LETTERS]
    unknown, padding = architecture.special[-1], architecture.special[architecture.padding]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [word for word in (architecture.opening, architecture.closing) if word]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=" ".join(
            word for word in (architecture.opening, "$A", architecture.closing) if word
        ),
        special_tokens=[(word, vocabulary[word]) for word in ends],
    )
    folder.mkdir(parents=True, exist_ok=True)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=unknown,
        pad_token=padding,
        model_max_length=64,
        padding_side=architecture.padding_side,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)
    torch.manual_seed(0)
    architecture.model(len(words)).save_pretrained(folder)


def _random(config: str, model: str, **changes: Any) -> Callable[[int], Any]:
    def make(words: int) -> Any:
        import transformers

        settings = getattr(transformers, config)(vocab_size=words, **(SHAPE | changes))
        with warnings.catch_warnings():
            # torch warns of itself where a model's file compiles a function.
            warnings.simplefilter("ignore", DeprecationWarning)
            return getattr(transformers, model)(settings)

    return make


T5_SHAPE: dict[str, Any] = {
    "d_model": HIDDEN,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
    "feed_forward_proj": "gated-gelu",
}
ROBERTA = ("<s>", "<pad>", "</s>", "<unk>")
BERT = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
ARCHITECTURES = {
    "distilbert": Architecture(
        0,
        BERT,
        "[CLS]",
        "[SEP]",
        _random(
            "DistilBertConfig", "DistilBertModel", dim=HIDDEN, n_layers=2, n_heads=4, hidden_dim=64
        ),
    ),
    # Their positions count from the padding id on, which is 1.
    "mpnet": Architecture(
        1, ROBERTA, "<s>", "</s>", _random("MPNetConfig", "MPNetModel", pad_token_id=1)
    ),
    "xlm-roberta": Architecture(
        1, ROBERTA, "<s>", "</s>", _random("XLMRobertaConfig", "XLMRobertaModel", pad_token_id=1)
    ),
    "modernbert": Architecture(
        0,
        BERT,
        "[CLS]",
        "[SEP]",
        _random(
            "ModernBertConfig",
            "ModernBertModel",
            num_hidden_layers=3,
            # A window shorter than the texts.
            local_attention=8,
            global_attn_every_n_layers=3,
            pad_token_id=0,
            cls_token_id=1,
            bos_token_id=1,
            sep_token_id=2,
            eos_token_id=2,
        ),
    ),
    # As EmbeddingGemma: attention in both directions, one head of keys and values for all queries.
    "gemma3_text": Architecture(
        0,
        ("<pad>", "<eos>", "<bos>", "<unk>"),
        "<bos>",
        "<eos>",
        _random(
            "Gemma3TextConfig",
            "Gemma3TextModel",
            num_hidden_layers=3,
            num_key_value_heads=1,
            head_dim=8,
            query_pre_attn_scalar=8,
            sliding_window=8,
            layer_types=["sliding_attention", "sliding_attention", "full_attention"],
            use_bidirectional_attention=True,
        ),
        tail=(
            dense(HIDDEN, 64, "linear.Identity", 1, bias=False),
            dense(64, HIDDEN, "linear.Identity", 2, bias=False),
            Module("Normalize"),
        ),
        dims=(8, 16, HIDDEN),
        prompts={
            "query": "task: search result | query: ",
            "document": "title: none | text: ",
        },
    ),
    # As Qwen3-Embedding: texts end alike on the right, where their last token is taken.
    "qwen3": Architecture(
        0,
        ("<|endoftext|>", "<unk>"),
        "",
        "<|endoftext|>",
        _random("Qwen3Config", "Qwen3Model", num_key_value_heads=2, head_dim=8),
        padding_side="left",
        pooling_mode="lasttoken",
        tail=(Module("Normalize"),),
        dims=(8, 16, HIDDEN),
        prompts={"query": "Instruct: find passages\nQuery:", "document": ""},
    ),
    "mt5": Architecture(
        0,
        ("<pad>", "</s>", "<unk>"),
        "",
        "</s>",
        _random("MT5Config", "MT5EncoderModel", **T5_SHAPE),
    ),
    "t5": Architecture(
        0,
        ("<pad>", "</s>", "<unk>"),
        "",
        "</s>",
        _random("T5Config", "T5EncoderModel", **T5_SHAPE),
    ),
}
