"""How a model of late interaction reads a query and a document (ColBERT, arXiv:2004.12832). Pure.

A short query is filled up with mask tokens, whose vectors stand for words that might have been
there; a document's punctuation is read, and has no vectors."""

from __future__ import annotations

from edge_mrl.backends.protocol import ALL_TOKENS, TokenChoice
from edge_mrl.bundle.manifest import LateInteraction
from edge_mrl.encoder.prompts import InputType


def limit(settings: LateInteraction, kind: InputType) -> int:
    """Where a text of some kind is cut, special tokens counted."""
    return settings.query_tokens if kind == "query" else settings.document_tokens


def read_as(
    settings: LateInteraction, kind: InputType, ids: list[list[int]]
) -> tuple[list[list[int]], TokenChoice]:
    """What an engine is given for some texts, and which of it is to have vectors.

    Args:
        settings: of the model.
        kind: what the texts are.
        ids: token ids of each text, cut already.

    Returns:
        The ids, and what to make of them.
    """
    if kind == "document":
        return ids, TokenChoice(skipped=settings.skipped_ids)
    fill = settings.fill_id
    if fill is None:
        return ids, ALL_TOKENS
    room = settings.query_tokens
    full = [one + [fill] * (room - len(one)) for one in ids]
    if settings.attend_to_fill:
        return full, ALL_TOKENS
    return full, TokenChoice(attended=tuple(map(len, ids)))
