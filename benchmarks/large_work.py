"""What `benchmarks.large` has done in processes of their own: a model written, a variant run.

python -m benchmarks.large_work write SHAPE FOLDER
python -m benchmarks.large_work encode BUNDLE VARIANT
"""

from __future__ import annotations

import argparse
import json
import pydoc_data.topics
import shutil
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOKENS = 64
"""The most that is read of a text."""

VOCABULARY = 30_000
"""Of the tokenizer; the model has rows for as many more as the real one."""

WORDS = "the heron waits in the reeds while rain falls on the mill"
RUNS = 5
END = "<|endoftext|>"
LAST_FILE = "mrl.json"
"""Of a model folder; where it stands the others do."""


@dataclass(frozen=True)
class Shape:
    """A backbone's config, what follows it, and the trained sizes."""

    config: str
    model: str
    sizes: dict[str, Any]
    pooling: str
    padding_side: str
    dims: tuple[int, ...]
    dense: tuple[tuple[int, int], ...] = ()
    prompts: dict[str, str] = field(default_factory=dict)


SHAPES = {
    "qwen3-embedding-0.6b": Shape(
        "Qwen3Config",
        "Qwen3Model",
        {
            "vocab_size": 151_669,
            "hidden_size": 1024,
            "intermediate_size": 3072,
            "num_hidden_layers": 28,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 32_768,
            "rope_theta": 1e6,
            "tie_word_embeddings": True,
        },
        "lasttoken",
        "left",
        (256, 1024),
        prompts={"query": "Instruct: find passages\nQuery:", "document": ""},
    ),
    "embeddinggemma-300m": Shape(
        "Gemma3TextConfig",
        "Gemma3TextModel",
        {
            "vocab_size": 262_144,
            "hidden_size": 768,
            "intermediate_size": 1152,
            "num_hidden_layers": 24,
            "num_attention_heads": 3,
            "num_key_value_heads": 1,
            "head_dim": 256,
            "query_pre_attn_scalar": 256,
            "max_position_embeddings": 2048,
            "sliding_window": 512,
            "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 4,
            "use_bidirectional_attention": True,
        },
        "mean_tokens",
        "right",
        (128, 768),
        dense=((768, 3072), (3072, 768)),
        prompts={"query": "task: search result | query: ", "document": "title: none | text: "},
    ),
}


def write(shape: Shape, folder: Path) -> dict[str, object]:
    """A sentence-transformers folder with random weights, the same every time."""
    import numpy as np
    import torch
    import transformers
    from safetensors.numpy import save_file

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_tokenizer(shape, folder)
    torch.manual_seed(0)
    model = getattr(transformers, shape.model)(getattr(transformers, shape.config)(**shape.sizes))
    model.to(torch.bfloat16).save_pretrained(folder)
    modules: list[tuple[str, dict[str, object]]] = [
        ("Transformer", {}),
        (
            "Pooling",
            {
                "word_embedding_dimension": shape.sizes["hidden_size"],
                f"pooling_mode_{shape.pooling}": True,
            },
        ),
    ]
    generator = np.random.default_rng(0)
    for size_in, size_out in shape.dense:
        place = folder / f"{len(modules)}_Dense"
        place.mkdir()
        weights = generator.normal(0, size_in**-0.5, (size_out, size_in)).astype(np.float32)
        save_file({"linear.weight": weights}, place / "model.safetensors")
        modules.append(
            (
                "Dense",
                {
                    "in_features": size_in,
                    "out_features": size_out,
                    "bias": False,
                    "activation_function": "torch.nn.modules.linear.Identity",
                },
            )
        )
    modules.append(("Normalize", {}))
    entries = []
    for number, (kind, config) in enumerate(modules):
        path = f"{number}_{kind}" if number else ""
        kind = f"sentence_transformers.models.{kind}"
        entries.append({"idx": number, "name": str(number), "path": path, "type": kind})
        if config:
            write_json(folder / path / "config.json", config)
    write_json(folder / "modules.json", entries)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": TOKENS})
    write_json(folder / "config_sentence_transformers.json", {"prompts": shape.prompts})
    write_json(folder / LAST_FILE, {"matryoshka_dims": shape.dims})
    return {"weights": sum(one.numel() for one in model.parameters())}


def write_tokenizer(shape: Shape, folder: Path) -> None:
    """Byte-level BPE, trained on the documentation of Python."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(pydoc_data.topics.topics.values(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, 0)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=END,
        eos_token=END,
        padding_side=shape.padding_side,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def encode(bundle: Path, variant: str) -> dict[str, object]:
    """Load a variant without its self-test, and embed a short text on one thread."""
    from edge_mrl import Encoder

    start = time.monotonic()
    encoder = Encoder.load(bundle, variant=variant, self_test=False, threads=1)
    encoder.encode([WORDS])
    loaded = time.monotonic() - start
    taken = []
    for _ in range(RUNS):
        start = time.process_time()
        encoder.encode([WORDS])
        taken.append(1000 * (time.process_time() - start))
    return {"load_s": loaded, "encode_ms": statistics.median(taken)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=("write", "encode"))
    parser.add_argument("first")
    parser.add_argument("second")
    given = parser.parse_args()
    if given.work == "write":
        result = write(SHAPES[given.first], Path(given.second))
    else:
        result = encode(Path(given.first), given.second)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
