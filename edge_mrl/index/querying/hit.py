"""One answer of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edge_mrl.index.records import DocumentId

if TYPE_CHECKING:
    from edge_mrl.index.storage.store import Store
    from edge_mrl.retrieval.ranking import Ranking


class Hit(NamedTuple):
    """A document that answers a query.

    Attributes:
        id: the document's id, an int or a str as it was given.
        score: of a search, the cosine of the query and the document at the stored slice, -1 to 1;
            of a query, what its last stage scores or fuses (docs/retrieval.md).
        text: the document's text.
        metadata: its JSON object.
    """

    id: DocumentId
    score: float
    text: str
    metadata: dict[str, object]

    def as_json(self) -> dict[str, object]:
        """Plain values for a JSON document."""
        return {
            "id": self.id,
            "score": self.score,
            "text": self.text,
            "metadata": self.metadata,
        }


def hits_of(store: Store, found: Ranking) -> list[Hit]:
    """The documents of a ranking. Call inside `store.read()`."""
    documents = store.documents_of(found.rows.tolist())
    return [
        Hit(id_, score, text, metadata)
        for (id_, text, metadata), score in zip(documents, found.scores.tolist(), strict=True)
    ]
