"""Token vectors in the file: one record a document, read for a shortlist only. There is no graph or
list over them; another stage finds the shortlist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from edge_mrl.errors import IndexFileError, InputError
from edge_mrl.index.format.codes import ByteArray, Codes, decode
from edge_mrl.index.format.token_layout import TokenLayout
from edge_mrl.index.format.token_records import CRC_BYTES, pack_record, reslice_codes, unpack_record
from edge_mrl.index.storage.facts import Facts
from edge_mrl.index.storage.schema_sql import WITH_TOKENS
from edge_mrl.retrieval.multi_vector import MultiVector

_FACT = "token_vectors"
"""The layout as JSON; absent where the index keeps none."""

_CHUNK = 500
"""Rows asked for in one statement; SQLite's own limit was 999 for long."""


def layout(facts: Facts) -> TokenLayout | None:
    """What the index keeps of token vectors; None where it keeps none."""
    text = facts.fact(_FACT)
    where = f"{facts.path}: the description of the token vectors"
    return None if text is None else TokenLayout.from_json(text, where)


def required(facts: Facts) -> TokenLayout:
    """As `layout`.

    Raises:
        InputError: the index keeps none.
    """
    found = layout(facts)
    if found is None:
        raise missing(facts)
    return found


def missing(facts: Facts) -> InputError:
    """The error of an index that keeps no token vectors."""
    return InputError(
        f"{facts.path} keeps no token vectors: make room for them with create_token_index or "
        "`edge-mrl optimize --token-vectors`"
    )


def create(facts: Facts, wanted: TokenLayout) -> None:
    """Make room for token vectors. Call inside `Facts.write()`.

    Raises:
        InputError: there are token vectors of another layout.
    """
    held = layout(facts)
    if held is not None and held != wanted:
        raise InputError(
            f"{facts.path} keeps token vectors as {held.stored} of {held.dim} dimensions already: "
            "delete the token index first"
        )
    facts.migrate(WITH_TOKENS)
    facts.set_fact(_FACT, wanted.to_json())


def drop(facts: Facts) -> None:
    """Forget all token vectors. Call inside `Facts.write()`."""
    if facts.fact(_FACT) is not None:
        facts.connection.execute("DELETE FROM token_vectors")
        facts.connection.execute("DELETE FROM meta WHERE key = ?", (_FACT,))


def write(facts: Facts, codes: Mapping[int, bytes]) -> None:
    """Write the codes of new documents, by row. Call inside `Facts.write()`."""
    if not codes:
        return
    facts.connection.executemany(
        "INSERT INTO token_vectors VALUES (?, ?)",
        ((row, pack_record(row, body)) for row, body in codes.items()),
    )


def add(facts: Facts, rows: Sequence[int]) -> None:
    """Nothing: the vectors come with `write`. See `in_step`."""


def remove(facts: Facts, rows: Sequence[int]) -> None:
    """Forget documents that are about to be deleted. See `in_step`."""
    if facts.fact(_FACT) is not None:
        facts.connection.executemany(
            "DELETE FROM token_vectors WHERE row = ?", ((row,) for row in rows)
        )


def present(facts: Facts, rows: Sequence[int]) -> set[int]:
    """Those of some rows that have token vectors. Call inside `Facts.read()` or `write()`."""
    found: set[int] = set()
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        marks = ",".join("?" * len(part))
        found.update(
            row
            for (row,) in facts.connection.execute(
                f"SELECT row FROM token_vectors WHERE row IN ({marks})", tuple(part)
            )
        )
    return found


def read(facts: Facts, kept: TokenLayout, rows: Sequence[int]) -> Iterator[tuple[int, ByteArray]]:
    """The codes of those of some rows that have token vectors, one document at a time.

    Args:
        facts: an open file, inside `read()`.
        kept: from `layout`.
        rows: rising.

    Raises:
        IndexFileError: a record is damaged; names the document.
    """
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        marks = ",".join("?" * len(part))
        found = facts.connection.execute(
            f"SELECT row, record FROM token_vectors WHERE row IN ({marks}) ORDER BY row",
            tuple(part),
        )
        for row, record in found:
            yield row, _unpacked(facts, kept, row, record)


def read_all(facts: Facts, kept: TokenLayout) -> Iterator[tuple[int, ByteArray]]:
    """As `read`, of all documents."""
    for row, record in facts.connection.execute(
        "SELECT row, record FROM token_vectors ORDER BY row"
    ):
        yield row, _unpacked(facts, kept, row, record)


def vectors_of(facts: Facts, row: int) -> MultiVector | None:
    """A document's token vectors; None where it has none. Call inside `Facts.read()`."""
    kept = layout(facts)
    if kept is None:
        return None
    found = list(read(facts, kept, [row]))
    if not found:
        return None
    codes = found[0][1]
    ones = np.ones(len(codes), dtype=np.float32)
    return MultiVector(decode(Codes(codes, ones), kept.stored))


def copy(new: Facts, old: Facts, rows: Mapping[int, int]) -> None:
    """Copy token vectors from old rows to new ones, cut to what the new file keeps. Call inside
    `new.write()` and `old.read()`."""
    held = layout(old)
    if held is None:
        return
    kept = required(new)
    for row, codes in read(old, held, sorted(rows)):
        body = reslice_codes(codes, held.stored, kept.stored)
        if body:
            write(new, {rows[row]: body})


def record_bytes(codes: ByteArray) -> int:
    """Bytes that stand in the file for a document's codes."""
    return codes.nbytes + CRC_BYTES


def _unpacked(facts: Facts, kept: TokenLayout, row: int, record: object) -> ByteArray:
    codes = unpack_record(row, record, kept.stored)
    if codes is None:
        name = facts.name_of(row)
        raise IndexFileError(
            f"{facts.path}: the token vectors of {name} are damaged: delete that document and "
            "add it again"
        )
    return codes
