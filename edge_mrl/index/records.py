"""What goes into an index and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

DocumentId = int | str


@dataclass(frozen=True, slots=True)
class Record:
    """A document to add.

    Attributes:
        text: what is embedded and stored.
        id: a whole number or a text; None for the next number.
        metadata: a JSON object, or None for an empty one.
    """

    text: str
    id: DocumentId | None = None
    metadata: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document as stored."""

    id: DocumentId
    text: str
    metadata: dict[str, object]


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document ready to be written; its metadata is JSON text."""

    id: DocumentId
    text: str
    metadata: str
