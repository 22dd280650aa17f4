"""Documents written and removed, with their vectors and what follows them, as one change."""

from __future__ import annotations

from collections.abc import Sequence

from edge_mrl.index.companions import in_step
from edge_mrl.index.format.codes import Codes
from edge_mrl.index.format.vector_rows import pack_records
from edge_mrl.index.records import DocumentId, NewDocument
from edge_mrl.index.storage.schema_sql import WITH_SHORT_ROWS
from edge_mrl.index.storage.store import Store
from edge_mrl.slices import Slice

_SHORT_INSERT = "INSERT INTO documents VALUES (?1, nullif(?2, ?1), ?3, nullif(?4, '{}'))"


def insert(
    store: Store, documents: Sequence[NewDocument], codes: Codes, stored: Slice, first_row: int
) -> None:
    """Write documents and their vectors, coded at the stored slice, as rows first_row,
    first_row + 1, ... Call inside `store.write()`."""
    store.set_fact("documents", str(store.count() + len(documents)))
    short = store.version >= WITH_SHORT_ROWS
    store.connection.executemany(
        _SHORT_INSERT if short else "INSERT INTO documents VALUES (?, ?, ?, ?)",
        ((row, d.id, d.text, d.metadata) for row, d in enumerate(documents, first_row)),
    )
    records = pack_records(codes, stored, first_row, scaled=not short)
    store.connection.executemany("INSERT INTO vectors VALUES (?, ?)", enumerate(records, first_row))
    in_step.add(store, range(first_row, first_row + len(documents)))


def delete(store: Store, ids: Sequence[DocumentId]) -> int:
    """Remove documents; ids that are not there are passed over. Call inside `store.write()`.
    Returns how many were removed."""
    rows = store.rows_of(ids)
    if rows:
        in_step.remove(store, rows)
        store.set_fact("documents", str(store.count() - len(rows)))
    for statement in (
        "DELETE FROM documents WHERE row = ?",
        "DELETE FROM vectors WHERE row = ?",
        "INSERT INTO deletions (row) VALUES (?)",
    ):
        store.connection.executemany(statement, ((row,) for row in rows))
    return len(rows)
