"""Which words a model wants before a query, a document or any other text. Pure."""

from __future__ import annotations

from typing import Literal

from edge_mrl.bundle.manifest import EmbeddingInfo
from edge_mrl.errors import InputError

InputType = Literal["query", "document"]

_NAMES: dict[InputType, tuple[str, ...]] = {
    "query": ("query",),
    "document": ("document", "passage", "corpus"),
}
"""Names that models give the prompt for each kind of text; the first that a model has counts."""


def prompt_words(embedding: EmbeddingInfo, name: str | None, prompt: str | None) -> str:
    """The words that go before a text; empty where there are none.

    Args:
        embedding: what the manifest says of the model.
        name: one of its prompts; None for its default.
        prompt: the words themselves, instead of a name.

    Raises:
        InputError: the model has no prompt of that name, or the words are no text.
    """
    if prompt is not None:
        if not isinstance(prompt, str):
            raise InputError(f"a prompt must be a str, not {type(prompt).__name__}")
        return prompt
    name = name or embedding.default_prompt_name
    if name is None:
        return ""
    if name not in embedding.prompts:
        known = ", ".join(embedding.prompts) or "none"
        raise InputError(f"this model has no prompt {name!r}: it has {known}")
    return embedding.prompts[name]


def kind_of(name: str | None) -> InputType | None:
    """The kind of text that a prompt's name says; None where it says none."""
    return next((kind for kind, names in _NAMES.items() if name in names), None)


def prompt_name(embedding: EmbeddingInfo, kind: InputType | None) -> str | None:
    """The name of the prompt for a kind of text; None where the model has none, or for no kind."""
    names = () if kind is None else _NAMES[kind]
    return next((name for name in names if name in embedding.prompts), None)
