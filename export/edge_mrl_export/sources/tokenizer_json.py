"""A model folder's tokenizer as the bundle stores it: without truncation and padding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from edge_mrl.errors import BundleError, ExportError
from edge_mrl.schema import Table
from edge_mrl.tokenization import growth
from edge_mrl.tokenization.text_tokenizer import from_the_library
from edge_mrl_export.model import TokenizerSource
from edge_mrl_export.sources.model_files import read_object, read_optional_object
from edge_mrl_export.sources.modules import TransformerModule
from edge_mrl_export.tokenizer_file import stored_form

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MOST_TOKENS = 10**6
"""transformers writes 10^30 for a tokenizer without a limit; no model reads a million tokens."""

_OFFSET_POSITIONS = frozenset(
    {
        "camembert",
        "data2vec-text",
        "mpnet",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
    }
)
"""Architectures that number positions from pad_token_id + 1: so many rows stay unused."""


def read_tokenizer(module: TransformerModule) -> TokenizerSource:
    """The tokenizer beside the backbone, and the settings around it.

    Raises:
        ExportError: there is no tokenizer.json, it cannot be read, there is no padding token, or
            texts are cut at their beginning.
    """
    folder = module.folder
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ExportError(
            f"{path} is missing: load the tokenizer with transformers.AutoTokenizer and save it "
            "into the folder, which writes the file"
        )
    settings = folder / "tokenizer_config.json"
    if read_optional_object(settings).get("truncation_side") not in (None, "right"):
        raise ExportError(
            f"{settings}: texts are cut at their beginning (truncation_side), which cannot be "
            "exported"
        )
    document = read_object(path) | {"truncation": None, "padding": None}
    if module.do_lower_case:
        document["normalizer"] = _lowercased(document.get("normalizer"))
    stored, pad_id = _canonical(path, document, _pad_token(folder))
    return TokenizerSource(
        json=stored, add_special_tokens=True, max_tokens=max_tokens(module), pad_id=pad_id
    )


def read_static_tokenizer(folder: Path, max_tokens: int | None = None) -> TokenizerSource:
    """The tokenizer of a static model, which adds no special tokens and pads nothing.

    Args:
        folder: holds tokenizer.json.
        max_tokens: where texts are cut, or None for what tokenizer.json says itself.

    Raises:
        ExportError: tokenizer.json is missing, cannot be read, or cuts texts at their beginning.
    """
    path = folder / "tokenizer.json"
    document = read_object(path)
    truncation = document.get("truncation")
    if max_tokens is None and truncation is not None:
        table = Table(truncation, f"{path}: truncation", ExportError)
        if table.optional_text("direction") not in (None, "Right"):
            table.fail("texts are cut at their beginning, which cannot be exported")
        max_tokens = table.integer("max_length", 1, MOST_TOKENS)
    stored = stored_form(_load(path, document | {"truncation": None, "padding": None}))
    return TokenizerSource(stored, add_special_tokens=False, max_tokens=max_tokens, pad_id=0)


def max_tokens(module: TransformerModule) -> int | None:
    """The longest input in tokens, special tokens counted, by sentence-transformers' own rules.

    That is max_seq_length, else the tokenizer's model_max_length; and never beyond the positions
    that the backbone has.
    """
    limits = []
    tokenizer_limit = read_optional_object(module.folder / "tokenizer_config.json").get(
        "model_max_length"
    )
    if module.max_seq_length is not None:
        limits.append(module.max_seq_length)
    elif isinstance(tokenizer_limit, int) and 0 < tokenizer_limit <= MOST_TOKENS:
        limits.append(tokenizer_limit)
    positions, unused = _positions(module)
    if positions is not None and positions - unused <= MOST_TOKENS:
        limits.append(positions - unused)
    return min(limits, default=None)


def positions_read(module: TransformerModule) -> int | None:
    """How many positions the longest input takes, the unused first ones counted; None where the
    backbone states no number of them."""
    positions, unused = _positions(module)
    tokens = max_tokens(module)
    return None if positions is None or tokens is None else tokens + unused


def _positions(module: TransformerModule) -> tuple[int | None, int]:
    """The positions that the backbone's config states, and how many of them no token has."""
    path = module.folder / "config.json"
    config = Table(read_object(path), str(path), ExportError)
    positions = config.optional_integer("max_position_embeddings", -1, 10**9)
    # XLNet writes -1 for no limit.
    if positions is None or positions <= 0:
        return None, 0
    unused = 0
    if config.optional_text("model_type") in _OFFSET_POSITIONS:
        unused = (config.optional_integer("pad_token_id", 0, 2**31 - 1) or 0) + 1
    if positions <= unused:
        config.fail(f"max_position_embeddings {positions} leaves no position for a token")
    return positions, unused


def _lowercased(normalizer: object) -> dict[str, object]:
    lower = {"type": "Lowercase"}
    parts: list[object] = []
    if isinstance(normalizer, dict) and normalizer.get("type") == "Sequence":
        parts = list(normalizer.get("normalizers", []))
    elif normalizer is not None:
        parts = [normalizer]
    return {"type": "Sequence", "normalizers": parts if lower in parts else [lower, *parts]}


def special_token(folder: Path, names: Sequence[str]) -> str | None:
    """The text of the first of some special tokens that a tokenizer has, from either file in which
    transformers writes it."""
    files = ("tokenizer_config.json", "special_tokens_map.json")
    for name, file in product(names, files):
        token = read_optional_object(folder / file).get(name)
        if isinstance(token, dict):
            token = token.get("content")
        if isinstance(token, str) and token:
            return token
    return None


def _pad_token(folder: Path) -> str:
    token = special_token(folder, ("pad_token",))
    if token is None:
        raise ExportError(
            f"the tokenizer in {folder} has no padding token: set pad_token with "
            "transformers.AutoTokenizer and save it"
        )
    return token


def _load(path: Path, document: dict[str, object]) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        growth.check(document)
        return Tokenizer.from_str(json.dumps(document))
    except BundleError as error:
        raise ExportError(f"{path} {error}") from error
    except BaseException as error:
        if not from_the_library(error):
            raise
        raise ExportError(f"{path} cannot be read ({error}): save the tokenizer again") from error


def _canonical(path: Path, document: dict[str, object], pad_token: str) -> tuple[bytes, int]:
    """The file as the bundle stores it, and the padding token's id."""
    tokenizer = _load(path, document)
    pad_id = tokenizer.token_to_id(pad_token)
    if pad_id is None:
        raise ExportError(
            f"{path} does not know the padding token {pad_token!r}: save the tokenizer again"
        )
    return stored_form(tokenizer), pad_id
