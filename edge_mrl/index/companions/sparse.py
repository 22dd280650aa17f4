"""Sparse vectors in the file: one record a document, and inverted lists that are derived from them,
as segments are derived from vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_mrl.errors import IndexFileError
from edge_mrl.index.format.sparse_records import (
    FloatArray,
    IntArray,
    SparseList,
    from_blobs,
    pack_record,
    turned,
    unpack_record,
)
from edge_mrl.index.storage.facts import Facts
from edge_mrl.index.storage.schema_sql import WITH_FOLLOWERS
from edge_mrl.retrieval.sparse_vector import SparseVector

_FACT = "sparse_packed"
"""The last row whose sparse vector is in the lists; absent where the index has none."""

LEAST = 4096
"""Vectors after the last list that make new lists; fewer are turned in memory by each reader."""

_AT_ONCE = 16_384
"""Vectors turned at once: with 200 coordinates each, 50 MB."""

Vectors = tuple[list[int], list[tuple[IntArray, FloatArray]]]
"""Rows, rising, and the indices and values of each."""


def present(facts: Facts) -> bool:
    """Whether the index has ever had a sparse vector."""
    return facts.fact(_FACT) is not None


def write(facts: Facts, vectors: Mapping[int, SparseVector]) -> None:
    """Write the vectors of new documents, by row. Call inside `Facts.write()`."""
    if not vectors:
        return
    if not present(facts):
        facts.migrate(WITH_FOLLOWERS)
        facts.set_fact(_FACT, "0")
    facts.connection.executemany(
        "INSERT INTO sparse_vectors VALUES (?, ?)",
        ((row, pack_record(row, vector)) for row, vector in vectors.items()),
    )
    _pack(facts, LEAST)


def add(facts: Facts, rows: Sequence[int]) -> None:
    """Nothing: the vectors come with `write`. See `in_step`."""


def remove(facts: Facts, rows: Sequence[int]) -> None:
    """Forget documents that are about to be deleted; their places in lists stay until the lists
    are made anew. See `in_step`."""
    if present(facts):
        facts.connection.executemany(
            "DELETE FROM sparse_vectors WHERE row = ?", ((row,) for row in rows)
        )


def rebuild(facts: Facts) -> None:
    """Make all lists anew. Call inside `Facts.write()`."""
    if present(facts):
        facts.connection.execute("DELETE FROM sparse_lists")
        facts.set_fact(_FACT, "0")
        _pack(facts, 1)


def _pack(facts: Facts, least: int) -> None:
    """Make lists of the vectors after the last ones, if they are enough."""
    packed = facts.whole_number(_FACT)
    (waiting,) = facts.connection.execute(
        "SELECT count(*) FROM sparse_vectors WHERE row > ?", (packed,)
    ).fetchone()
    while waiting >= least and (found := vectors_after(facts, packed, _AT_ONCE))[0]:
        rows, vectors = found
        packed = rows[-1]
        facts.connection.executemany(
            "INSERT INTO sparse_lists VALUES (?, ?, ?, ?, ?, ?)",
            (
                (made.dimension, made.first_row, made.last_row, *made.to_blobs())
                for made in turned(rows, vectors)
            ),
        )
        facts.set_fact(_FACT, str(packed))


def vectors_after(facts: Facts, row: int, limit: int = -1) -> Vectors:
    """The vectors of rows after one.

    Raises:
        IndexFileError: one of them is damaged; names its row.
    """
    found = facts.connection.execute(
        "SELECT row, record FROM sparse_vectors WHERE row > ? ORDER BY row LIMIT ?", (row, limit)
    ).fetchall()
    return [number for number, _ in found], [vector(facts, *pair) for pair in found]


def vector(facts: Facts, row: int, record: object) -> tuple[IntArray, FloatArray]:
    """Indices and values of a record.

    Raises:
        IndexFileError: it is damaged.
    """
    read = unpack_record(row, record)
    if read is None:
        raise IndexFileError(
            f"{facts.path}: the sparse vector of row {row} is damaged: delete its document and "
            "add it again"
        )
    return read


def vector_of(facts: Facts, row: int) -> SparseVector | None:
    """A document's sparse vector; None where it has none. Call inside `Facts.read()`."""
    if not present(facts):
        return None
    found = facts.connection.execute(
        "SELECT record FROM sparse_vectors WHERE row = ?", (row,)
    ).fetchone()
    if found is None:
        return None
    indices, values = vector(facts, row, found[0])
    return SparseVector(indices.tolist(), values.tolist())


def packed_until(facts: Facts) -> int:
    """The last row that is in the lists."""
    return facts.whole_number(_FACT)


def lists_of(facts: Facts, dimension: int) -> list[SparseList]:
    """The lists of a dimension, in the order of their rows.

    Raises:
        IndexFileError: one of them is damaged.
    """
    found = facts.connection.execute(
        "SELECT dimension, first_row, last_row, places, numbers, crc32 FROM sparse_lists "
        "WHERE dimension = ? ORDER BY first_row",
        (dimension,),
    ).fetchall()
    lists = [from_blobs(*parts) for parts in found]
    sound = [made for made in lists if made is not None]
    if len(sound) != len(lists):
        raise IndexFileError(
            f"{facts.path}: the sparse list of dimension {dimension} is damaged: "
            "make it anew with optimize"
        )
    return sound
