"""Makes the file of an older schema of one of the newest, in SQL, as older programs wrote them."""

from __future__ import annotations

import json
import sqlite3
import struct
import zlib
from pathlib import Path

import numpy as np

from edge_mrl.index.format.codes import Codes, derive
from edge_mrl.slices import Slice

_FOLLOWERS = (
    (
        2,
        """CREATE TABLE payload_values (key INTEGER NOT NULL, kind INTEGER NOT NULL,
        value NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (key, kind, value, row)) WITHOUT ROWID""",
    ),
    (2, "CREATE TABLE sparse_vectors (row INTEGER PRIMARY KEY, record BLOB NOT NULL)"),
    (
        2,
        """CREATE TABLE sparse_lists (dimension INTEGER NOT NULL, first_row INTEGER NOT NULL,
        last_row INTEGER NOT NULL, places BLOB NOT NULL, numbers BLOB NOT NULL,
        crc32 INTEGER NOT NULL, PRIMARY KEY (dimension, first_row)) WITHOUT ROWID""",
    ),
    (3, "CREATE TABLE token_vectors (row INTEGER PRIMARY KEY, record BLOB NOT NULL)"),
)
"""The tables that follow the documents, with the first schema that had them: all of them, whether
they were asked for or not."""


def make_older(path: Path, schema: int) -> None:
    """Turn a closed index of schema 5 that keeps nothing beside its documents into one of schema 1
    to 4."""
    connection = sqlite3.connect(path)
    with connection:
        _late_sums(connection)
        connection.execute(f"PRAGMA user_version = {schema}")
        if schema < 4:
            _before_4(connection, schema)
    connection.close()


def _late_sums(connection: sqlite3.Connection) -> None:
    """The checksums of segments in the last column."""
    columns = "number, first_row, last_row, slice, format, row_numbers, gains, codes, crc32"
    connection.execute("ALTER TABLE segments RENAME TO newer")
    connection.execute(
        """CREATE TABLE segments (
        number INTEGER PRIMARY KEY AUTOINCREMENT, first_row INTEGER NOT NULL,
        last_row INTEGER NOT NULL, slice TEXT NOT NULL, format INTEGER NOT NULL,
        row_numbers BLOB NOT NULL, gains BLOB NOT NULL, codes BLOB NOT NULL,
        crc32 INTEGER NOT NULL)"""
    )
    connection.execute(f"INSERT INTO segments ({columns}) SELECT {columns} FROM newer")
    connection.execute("DROP TABLE newer")


def _before_4(connection: sqlite3.Connection, schema: int) -> None:
    _older_documents(connection)
    (text,) = connection.execute("SELECT value FROM meta WHERE key = 'index'").fetchone()
    layout = {key: Slice.parse(v) for key, v in json.loads(text).items() if "x" in str(v)}
    if layout["stored"].bits == 8:
        if "refine" in layout:
            _whole_refine_codes(connection, layout["stored"], layout["refine"])
        _scaled_records(connection)
    _plain_gains(connection, layout["scan"])
    for first_schema, statement in _FOLLOWERS:
        if first_schema <= schema:
            connection.execute(statement)


def _older_documents(connection: sqlite3.Connection) -> None:
    (last,) = connection.execute(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'documents'"
    ).fetchone()
    connection.execute(
        """CREATE TABLE older (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        id NOT NULL UNIQUE CHECK (typeof(id) IN ('integer', 'text')),
        text TEXT NOT NULL,
        metadata TEXT NOT NULL)"""
    )
    connection.execute(
        "INSERT INTO older SELECT row, coalesce(id, row), text, coalesce(metadata, '{}') "
        "FROM documents ORDER BY row"
    )
    connection.execute("DROP TABLE documents")
    connection.execute("ALTER TABLE older RENAME TO documents")
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'documents'")
    connection.execute("INSERT INTO sqlite_sequence VALUES ('documents', ?)", (last,))


def _crc(row: int, body: bytes) -> bytes:
    return struct.pack("<I", zlib.crc32(struct.pack("<q", row) + body))


def _scaled_records(connection: sqlite3.Connection) -> None:
    for row, record in connection.execute("SELECT row, record FROM vectors").fetchall():
        codes = np.frombuffer(record[:-4], dtype=np.int8).astype(np.float64)
        body = struct.pack("<f", 1 / (np.linalg.norm(codes) or np.inf)) + record[:-4]
        changed = (body + _crc(row, body), row)
        connection.execute("UPDATE vectors SET record = ? WHERE row = ?", changed)


def _whole_refine_codes(connection: sqlite3.Connection, stored: Slice, refine: Slice) -> None:
    """Format 3: refine codes row after row, none of their bits left out."""
    found = connection.execute(
        "SELECT number, first_row, last_row, gains FROM segments WHERE slice = ?", (str(refine),)
    ).fetchall()
    for number, first, last, gains in found:
        bounds = (first, last)
        records = connection.execute(
            "SELECT record FROM vectors WHERE row BETWEEN ? AND ? ORDER BY row", bounds
        ).fetchall()
        gains = _unpacked(gains)
        assert len(gains) == 2 * len(records), "make it older before documents are deleted"
        table = np.array([list(record[:-4]) for (record,) in records], dtype=np.uint8)
        ones = np.ones(len(records), dtype=np.float32)
        codes = derive(Codes(table, ones), stored, refine).packed.tobytes()
        crc = zlib.crc32(struct.pack("<qq", first, last) + gains + codes)
        connection.execute(
            "UPDATE segments SET format = 3, gains = ?, codes = ?, crc32 = ? WHERE number = ?",
            (gains, codes, crc, number),
        )


def _plain_gains(connection: sqlite3.Connection, scan: Slice) -> None:
    """Format 2: scan codes with gains of two bytes each."""
    found = connection.execute(
        "SELECT number, first_row, last_row, row_numbers, gains, codes FROM segments "
        "WHERE slice = ?",
        (str(scan),),
    ).fetchall()
    for number, first, last, rows, gains, codes in found:
        gains = _unpacked(gains)
        crc = zlib.crc32(struct.pack("<qq", first, last) + rows + gains + codes)
        connection.execute(
            "UPDATE segments SET format = 2, gains = ?, crc32 = ? WHERE number = ?",
            (gains, crc, number),
        )


def _unpacked(gains: bytes) -> bytes:
    halves = zlib.decompress(gains)
    low, high = halves[: len(halves) // 2], halves[len(halves) // 2 :]
    return bytes(byte for pair in zip(low, high, strict=True) for byte in pair)
