"""Randomly initialised backbones of several architectures, each with a tokenizer of its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.export.st_models import HIDDEN, VOCABULARY

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
    """How to write one backbone: special tokens in the order of their ids (padding, unknown, and
    those put before and after a text), and the model."""

    padding: int
    special: tuple[str, ...]
    opening: str
    closing: str
    model: Callable[[int], Any]


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
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)
    torch.manual_seed(0)
    architecture.model(len(words)).save_pretrained(folder)


def _bert_like(config: str, model: str, **changes: Any) -> Callable[[int], Any]:
    def make(words: int) -> Any:
        import transformers

        settings = getattr(transformers, config)(vocab_size=words, **(SHAPE | changes))
        return getattr(transformers, model)(settings)

    return make


ROBERTA = ("<s>", "<pad>", "</s>", "<unk>")
BERT = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
ARCHITECTURES = {
    "distilbert": Architecture(
        0,
        BERT,
        "[CLS]",
        "[SEP]",
        _bert_like(
            "DistilBertConfig", "DistilBertModel", dim=HIDDEN, n_layers=2, n_heads=4, hidden_dim=64
        ),
    ),
    # Their positions count from the padding id on, which is 1.
    "mpnet": Architecture(
        1, ROBERTA, "<s>", "</s>", _bert_like("MPNetConfig", "MPNetModel", pad_token_id=1)
    ),
    "xlm-roberta": Architecture(
        1, ROBERTA, "<s>", "</s>", _bert_like("XLMRobertaConfig", "XLMRobertaModel", pad_token_id=1)
    ),
}
