"""Sparse vectors as bytes: the record of a document, and the list of a dimension. Pure;
docs/index-format.md specifies them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl.retrieval.sparse_vector import SparseVector

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


def pack_record(row: int, vector: SparseVector) -> bytes:
    """A document's record: indices (uint32), values (float32), CRC-32 over row and all of it."""
    body = vector.indices.astype("<u4").tobytes() + vector.values.astype("<f4").tobytes()
    return body + _crc(row, body).to_bytes(4, "little")


def unpack_record(row: int, record: object) -> tuple[IntArray, FloatArray] | None:
    """Indices and values; None where anything is wrong."""
    if not isinstance(record, bytes) or len(record) % 8 != 4:
        return None
    body, crc = record[:-4], int.from_bytes(record[-4:], "little")
    if crc != _crc(row, body):
        return None
    half = len(body) // 2
    return (
        np.frombuffer(body[:half], "<u4").astype(np.int64),
        np.frombuffer(body[half:], "<f4").astype(np.float32),
    )


def _crc(row: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(row.to_bytes(8, "little")))


class SparseList(NamedTuple):
    """Which documents of a range have a dimension, and their values there.

    Attributes:
        dimension: the index.
        first_row: start of the range.
        last_row: end of it.
        rows: (n,) rising.
        values: (n,) float32.
    """

    dimension: int
    first_row: int
    last_row: int
    rows: IntArray
    values: FloatArray

    def to_blobs(self) -> tuple[bytes, bytes, int]:
        """Places (uint32, counted from first_row), values (float32), and their CRC-32."""
        places = (self.rows - self.first_row).astype("<u4").tobytes()
        numbers = self.values.astype("<f4").tobytes()
        return places, numbers, _list_crc(self.dimension, self.first_row, places, numbers)


def from_blobs(
    dimension: int, first_row: int, last_row: int, places: object, numbers: object, crc: object
) -> SparseList | None:
    """Read a list back; None where anything is wrong."""
    if not (isinstance(places, bytes) and isinstance(numbers, bytes)):
        return None
    if len(places) != len(numbers) or crc != _list_crc(dimension, first_row, places, numbers):
        return None
    rows = np.frombuffer(places, "<u4").astype(np.int64) + first_row
    values = np.frombuffer(numbers, "<f4").astype(np.float32)
    return SparseList(dimension, first_row, last_row, rows, values)


def _list_crc(dimension: int, first_row: int, places: bytes, numbers: bytes) -> int:
    head = dimension.to_bytes(8, "little") + first_row.to_bytes(8, "little")
    return zlib.crc32(numbers, zlib.crc32(places, zlib.crc32(head)))


def turned(
    rows: Sequence[int], vectors: Sequence[tuple[IntArray, FloatArray]]
) -> Iterator[SparseList]:
    """One list for each dimension of some documents.

    Args:
        rows: rising.
        vectors: indices and values of each.
    """
    if not rows:
        return
    sizes = [indices.size for indices, _ in vectors]
    dimensions = np.concatenate([indices for indices, _ in vectors])
    values = np.concatenate([numbers for _, numbers in vectors])
    owners = np.repeat(np.asarray(rows, dtype=np.int64), sizes)
    order = np.argsort(dimensions, kind="stable")
    dimensions, owners, values = dimensions[order], owners[order], values[order]
    starts = np.flatnonzero(np.diff(dimensions, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], dimensions.size], strict=True):
        part = slice(start, stop)
        yield SparseList(int(dimensions[start]), rows[0], rows[-1], owners[part], values[part])
