"""Small ColBERT models as PyLate and Stanford's ColBERT save them, and what they give, written out
with torch."""

from __future__ import annotations

import json
import shutil
import string
from pathlib import Path

import numpy as np

from tests.export.st_models import HIDDEN, write_bert, write_json

WIDTH = 24
QUERY_TOKENS, DOCUMENT_TOKENS = 12, 40
PYLATE = {
    "model_type": "ColBERT",
    "prompts": {"query": "", "document": ""},
    "default_prompt_name": None,
    "similarity_fn_name": "MaxSim",
    "query_prefix": "[Q] ",
    "document_prefix": "[D] ",
    "query_length": QUERY_TOKENS,
    "document_length": DOCUMENT_TOKENS,
    "attend_to_expansion_tokens": False,
    "skiplist_words": list(string.punctuation),
    "do_query_expansion": True,
}
DENSE = {
    "in_features": HIDDEN,
    "out_features": WIDTH,
    "bias": False,
    "activation_function": "torch.nn.modules.linear.Identity",
    "use_residual": False,
}


def projection():
    return np.random.default_rng(5).normal(size=(WIDTH, HIDDEN)).astype(np.float32)


def write_pylate(folder: Path, **settings: object) -> Path:
    """As `pylate.models.ColBERT.save` of PyLate 1.6 writes it."""
    from safetensors.numpy import save_file
    from transformers import AutoTokenizer, BertModel

    write_bert(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["[Q] ", "[D] "])
    tokenizer.pad_token = tokenizer.mask_token
    tokenizer.save_pretrained(folder)
    model = BertModel.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(folder)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 64, "do_lower_case": False})
    write_json(folder / "config_sentence_transformers.json", PYLATE | settings)
    write_json(folder / "1_Dense/config.json", DENSE)
    save_file({"linear.weight": projection()}, folder / "1_Dense/model.safetensors")
    kinds = ["sentence_transformers.models.Transformer", "pylate.models.Dense.Dense"]
    entries = [
        {"idx": number, "name": str(number), "path": place, "type": kind}
        for number, (kind, place) in enumerate(zip(kinds, ("", "1_Dense"), strict=True))
    ]
    write_json(folder / "modules.json", entries)
    return folder


def write_stanford(folder: Path) -> Path:
    """As the checkpoints of colbert-ai are: all weights in one file, markers that are words."""
    from safetensors.torch import load_file, save_file

    write_bert(folder)
    for name in ("vocab.txt", "tokenizer.json"):
        path = folder / name
        text = path.read_text(encoding="utf-8")
        for letter, marker in (("東", "[unused0]"), ("京", "[unused1]")):
            text = text.replace(f'"{letter}"', f'"{marker}"').replace(f"{letter}\n", f"{marker}\n")
        path.write_text(text, encoding="utf-8")
    weights = load_file(folder / "model.safetensors")
    import torch

    named = {f"bert.{key}": value for key, value in weights.items()}
    named["linear.weight"] = torch.from_numpy(projection())
    save_file(named, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", config | {"architectures": ["HF_ColBERT"]})
    metadata = {
        "query_token_id": "[unused0]",
        "doc_token_id": "[unused1]",
        "query_maxlen": 10,
        "doc_maxlen": 24,
        "dim": WIDTH,
        "mask_punctuation": True,
        "attend_to_mask_tokens": True,
        "similarity": "cosine",
    }
    write_json(folder / "artifact.metadata", metadata)
    return folder


class ColBert:
    """Khattab and Zaharia 2020, section 3.2: [Q] or [D] after [CLS], queries filled up with [MASK],
    punctuation of documents filtered out, a linear layer, unit length. With torch, one text at a
    time."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        from tokenizers import Tokenizer
        from transformers import BertModel

        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        # Without the projection among its weights, as transformers likes it.
        copy = scratch / "backbone"
        shutil.copytree(folder, copy)
        self.model = BertModel.from_pretrained(copy, attn_implementation="eager").eval()

    def tokens(self, text, marker, limit, *, fill=False, attend=False, skip=False):
        """(tokens, WIDTH) float64 of unit length."""
        import torch

        self.tokenizer.enable_truncation(limit - 1)
        ids = self.tokenizer.encode(text).ids
        ids = [ids[0], self.tokenizer.token_to_id(marker), *ids[1:]]
        read = len(ids)
        if fill:
            ids += [self.tokenizer.token_to_id("[MASK]")] * (limit - read)
        mask = torch.ones(1, len(ids))
        if not attend:
            mask[0, read:] = 0
        with torch.no_grad():
            hidden = self.model(torch.tensor([ids]), attention_mask=mask).last_hidden_state[0]
        rows = hidden.numpy().astype(np.float64) @ projection().T.astype(np.float64)
        if skip:
            unwanted = {self.tokenizer.token_to_id(word) for word in string.punctuation}
            # Punctuation that the small vocabulary lacks is the unknown token.
            unwanted = {1 if id_ is None else id_ for id_ in unwanted}
            rows = rows[[id_ not in unwanted for id_ in ids]]
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)
