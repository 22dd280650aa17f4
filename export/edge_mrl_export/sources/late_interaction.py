"""What models of late interaction (ColBERT) do to queries and documents, by the names that PyLate
has for it in config_sentence_transformers.json; where a setting is missing, PyLate's default
counts.

Markers become prompts: a marker is one token after the first, which is where the words of a prompt
come."""

from __future__ import annotations

import string
from dataclasses import dataclass, replace
from pathlib import Path

from tokenizers import Tokenizer

from edge_mrl.bundle.manifest import LateInteraction
from edge_mrl.bundle.manifest_json import MAX_QUERY_TOKENS
from edge_mrl.errors import ExportError
from edge_mrl.schema import Table
from edge_mrl_export.model import TokenizerSource
from edge_mrl_export.sources.model_card import SETTINGS_JSON
from edge_mrl_export.sources.model_files import read_object, read_optional_object
from edge_mrl_export.sources.modules import TransformerModule
from edge_mrl_export.sources.stanford_colbert import (
    METADATA,
    is_stanford_colbert,
    stanford_settings,
)
from edge_mrl_export.sources.tokenizer_json import MOST_TOKENS, max_tokens, special_token
from edge_mrl_export.tokenizer_file import stored_form

QUERY_MARKER, DOCUMENT_MARKER = "[Q] ", "[D] "
QUERY_TOKENS, DOCUMENT_TOKENS = 32, 180
"""PyLate's defaults."""

_FILLING = ("mask_token", "eos_token", "pad_token")
"""What queries are filled up with: the first of these that the tokenizer has, as in PyLate."""


@dataclass(frozen=True, slots=True)
class LateReading:
    """What a bundle says of a model of late interaction.

    Attributes:
        settings: how queries and documents are read.
        prompts: the markers, with the words of the model's default prompt behind them.
        tokenizer: with the markers as tokens, cutting at the longer of both lengths.
    """

    settings: LateInteraction
    prompts: dict[str, str]
    tokenizer: TokenizerSource


def read_late_interaction(
    folder: Path, module: TransformerModule, tokenizer: TokenizerSource, default_prompt: str
) -> LateReading:
    """Read the settings of a model.

    Args:
        folder: the model folder, of PyLate or Stanford's ColBERT.
        module: its backbone.
        tokenizer: of the backbone.
        default_prompt: words that the model wants before every text, or none.

    Raises:
        ExportError: a setting is wrong, or a marker is not a token of the model.
    """
    settings = _settings(folder)
    markers = (
        _marker(settings, "query_prefix", QUERY_MARKER),
        _marker(settings, "document_prefix", DOCUMENT_MARKER),
    )
    query = _length(settings, module, "query_length", QUERY_TOKENS, MAX_QUERY_TOKENS)
    document = _length(settings, module, "document_length", DOCUMENT_TOKENS, MOST_TOKENS)
    expands = _flag(settings, "do_query_expansion", default=True)
    # Without expansion there is nothing to attend to.
    attends = _flag(settings, "attend_to_expansion_tokens", default=False) and expands
    words = tuple(string.punctuation)
    if settings.get("skiplist_words") is not None:
        words = settings.texts("skiplist_words")
    library = Tokenizer.from_str(tokenizer.json.decode())
    for marker in filter(None, markers):
        # Known as a word, it is still cut to pieces in a text unless it is added.
        if library.token_to_id(marker) is not None:
            library.add_tokens([marker])
        _check_marker(library, marker, module.folder)
    fill = special_token(module.folder, _FILLING)
    fill_id = None if fill is None else library.token_to_id(fill)
    if expands and fill_id is None:
        raise ExportError(
            f"the tokenizer in {module.folder} has neither a mask token nor another to fill "
            "queries up with: set mask_token, or do_query_expansion to false"
        )
    reading = LateInteraction(
        query_tokens=query,
        document_tokens=document,
        fill_id=fill_id if expands else None,
        attend_to_fill=attends,
        skipped_ids=_ids(library, module.folder, words),
    )
    named = zip(("query", "document"), markers, strict=True)
    return LateReading(
        reading,
        {name: marker + default_prompt for name, marker in named},
        replace(tokenizer, json=stored_form(library), max_tokens=max(query, document)),
    )


def _settings(folder: Path) -> Table:
    """By PyLate's names."""
    if is_stanford_colbert(folder):
        return Table(stanford_settings(folder), str(folder / METADATA), ExportError)
    path = folder / SETTINGS_JSON
    return Table(read_optional_object(path), str(path), ExportError)


def _marker(table: Table, key: str, default: str) -> str:
    value = table.get(key)
    if value is None:
        return default
    if not isinstance(value, str) or len(value) > 100:
        table.fail(f"{key} must be a short text")
    return value


def _flag(table: Table, key: str, *, default: bool) -> bool:
    return default if table.get(key) is None else table.flag(key)


def _length(table: Table, module: TransformerModule, key: str, default: int, most: int) -> int:
    wanted = table.optional_integer(key, 4, most) or default
    # Never beyond the backbone's positions.
    return max_tokens(replace(module, max_seq_length=wanted)) or wanted


def _check_marker(library: Tokenizer, marker: str, folder: Path) -> None:
    """Refuse a marker that is not read as one token after the first."""
    number = library.token_to_id(marker)
    words = read_object(folder / "config.json").get("vocab_size")
    if number is None or (isinstance(words, int) and number >= words):
        raise ExportError(
            f"the tokenizer in {folder} has no token {marker!r}, which the model wants before a "
            "text: save the model again with PyLate, which adds it"
        )
    plain, marked = (library.encode(text).ids for text in ("a", marker + "a"))
    if marked != [*plain[:1], number, *plain[1:]]:
        raise ExportError(
            f"the tokenizer in {folder} does not read {marker!r} as one token after the first, "
            "where the model wants it: it cannot be exported"
        )


def _ids(library: Tokenizer, folder: Path, words: tuple[str, ...]) -> tuple[int, ...]:
    """Token ids of the skip list; a word that is no token stands for the unknown token, as in
    PyLate."""
    unknown = special_token(folder, ("unk_token",))
    other = None if unknown is None else library.token_to_id(unknown)
    found = [library.token_to_id(word) for word in words]
    listed = {other if id_ is None else id_ for id_ in found}
    return tuple(sorted(id_ for id_ in listed if id_ is not None))
