"""Documents with the vectors that stand in the file for them."""

from __future__ import annotations

from collections.abc import Mapping

from edge_mrl.index.companions import sparse, tokens
from edge_mrl.index.records import Document, DocumentId
from edge_mrl.index.storage.store import Store
from edge_mrl.retrieval.multi_vector import MultiVector
from edge_mrl.slices import Slice, normalize


def with_stored_vectors(
    store: Store, found: Mapping[DocumentId, Document], stored: Slice
) -> dict[DocumentId, Document]:
    """The same documents with their vectors of each kind. Call inside `store.read()`.

    Args:
        store: an open store.
        found: documents that are there, by id.
        stored: the slice that the file keeps of a vector.

    Raises:
        IndexFileError: one is damaged; names the document.
    """
    ids = store.ids_of(sorted(store.rows_of(list(found))))
    rows = sorted(ids)
    units = store.vectors(rows, stored).units
    return {
        ids[row]: found[ids[row]]._replace(
            vector=unit,
            sparse=sparse.vector_of(store, row),
            token_vectors=_unit_length(tokens.vectors_of(store, row)),
        )
        for row, unit in zip(rows, units, strict=True)
    }


def _unit_length(vectors: MultiVector | None) -> MultiVector | None:
    return None if vectors is None else MultiVector(normalize(vectors.vectors))
