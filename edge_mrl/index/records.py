"""What goes into an index and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy.typing as npt

    from edge_mrl.retrieval.multi_vector import MultiVector
    from edge_mrl.retrieval.sparse_vector import SparseVector
    from edge_mrl.slices import FloatArray

DocumentId = int | str


class Record(NamedTuple):
    """A document to add.

    Attributes:
        text: what is embedded and stored.
        id: a whole number or a text; None for the next number.
        metadata: a JSON object, or None for an empty one.
    """

    text: str
    id: DocumentId | None = None
    metadata: dict[str, object] | None = None


class Document(NamedTuple):
    """A document as stored.

    Attributes:
        id, text, metadata: what was added.
        vector: (d,) float32 of unit length as the stored slice keeps it, zeros for a text without
            direction; None where vectors were not asked for.
        sparse, token_vectors: what came or was made beside it, the latter of unit length likewise;
            None also where the document has none.
    """

    id: DocumentId
    text: str
    metadata: dict[str, object]
    vector: FloatArray | None = None
    sparse: SparseVector | None = None
    token_vectors: MultiVector | None = None


class NewDocument(NamedTuple):
    """A document ready to be written; its metadata is JSON text."""

    id: DocumentId
    text: str
    metadata: str


class Incoming(NamedTuple):
    """Documents as a caller gives them; see `Index.add`."""

    texts: Sequence[str] | None
    ids: Sequence[DocumentId | None] | None
    metadata: Sequence[dict[str, object] | None] | None
    vectors: npt.ArrayLike | None
    sparse: Sequence[SparseVector | None] | None = None
    token_vectors: Sequence[npt.ArrayLike | MultiVector | None] | None = None

    @classmethod
    def of(cls, records: Sequence[Record]) -> Incoming:
        """Records as one batch of texts."""
        return cls(
            [record.text for record in records],
            [record.id for record in records],
            [record.metadata for record in records],
            None,
        )
