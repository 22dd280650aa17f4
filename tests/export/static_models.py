"""Small static model folders: model2vec's layout, and sentence-transformers' StaticEmbedding."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from tests.export.st_models import write_json

WORDS = (
    "[UNK]",
    "[PAD]",
    "the",
    "heron",
    "waits",
    "in",
    "reeds",
    "zip",
    "3",
    "files",
    "fast",
    "東京",
)
DIM = 24
TEXTS = (
    "",
    " ",
    "the heron waits in the reeds",
    "zip 3 files fast",
    "東京 zip",
    "nothing of this is known",
    "the unknown heron",
    "heron " * 600,
)


def write_tokenizer(folder: Path, *, truncation: int | None = None, padding: bool = True) -> None:
    """Whole words; what is not among them is the unknown token."""
    tokenizer = Tokenizer(
        models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if padding:
        tokenizer.enable_padding(pad_id=1, pad_token="[PAD]")
    if truncation is not None:
        tokenizer.enable_truncation(truncation)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))


def table(seed: int = 0) -> np.ndarray:
    """(words, DIM) float32."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((len(WORDS), DIM)).astype(np.float32)


def write_model2vec(
    folder: Path, tensors: Mapping[str, np.ndarray] | None = None, **config: object
) -> Path:
    """As model2vec saves a model, with a modules.json for sentence-transformers beside."""
    from safetensors.numpy import save_file

    write_tokenizer(folder, padding=False)
    save_file(dict(tensors or {"embeddings": table()}), folder / "model.safetensors")
    write_json(folder / "config.json", {"model_type": "model2vec", "normalize": True} | config)
    write_json(
        folder / "modules.json",
        [
            {
                "idx": 0,
                "name": "0",
                "path": ".",
                "type": "sentence_transformers.models.StaticEmbedding",
            },
            {
                "idx": 1,
                "name": "1",
                "path": "1_Normalize",
                "type": "sentence_transformers.models.Normalize",
            },
        ],
    )
    return folder


def write_static_embedding(
    folder: Path, *, place: str = "0_StaticEmbedding", truncation: int | None = None
) -> Path:
    """As sentence-transformers 5 saves a model of StaticEmbedding and Normalize."""
    from safetensors.numpy import save_file

    write_tokenizer(folder / place, truncation=truncation)
    save_file({"embedding.weight": table()}, folder / place / "model.safetensors")
    kinds = "sentence_transformers.models."
    write_json(
        folder / "modules.json",
        [
            {"idx": 0, "name": "0", "path": place, "type": f"{kinds}StaticEmbedding"},
            {"idx": 1, "name": "1", "path": "1_Normalize", "type": f"{kinds}Normalize"},
        ],
    )
    write_json(
        folder / "config_sentence_transformers.json",
        {"prompts": {"query": "zip "}, "similarity_fn_name": "dot"},
    )
    write_json(folder / "mrl.json", {"matryoshka_dims": [8, 16, DIM]})
    return folder
