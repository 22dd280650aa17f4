"""One answer of a search."""

from __future__ import annotations

from dataclasses import dataclass

from edge_mrl.index.records import DocumentId


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that answers a query.

    Attributes:
        id: the document's id, an int or a str as it was given.
        score: cosine of the query and the document at the stored slice, -1 to 1.
        text: the document's text.
        metadata: its JSON object.
    """

    id: DocumentId
    score: float
    text: str
    metadata: dict[str, object]
