"""Rows of whole numbers multiplied by a query: records with a checksum each, which is checked too,
or rows of a table that were checked before. Pure numpy: the definition that a compiled kernel must
equal.

A record is int8 numbers, then CRC-32 (that of zlib, little-endian) over the row number, 8 bytes
little-endian, and these numbers.
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl.kernel.quantizer import Int8Array
from edge_mrl.kernel.reference import IntArray
from edge_mrl.slices import FloatArray

CRC_BYTES = 4

CRC_RESIDUE = 0x2144DF1C
"""CRC-32 of any bytes followed by their own CRC-32, little-endian."""

QUERY_UNIT = 2.0**24
"""A unit vector's coordinates are rounded to multiples of 1 / QUERY_UNIT, as fine as float32 is
just below 1. By Cauchy and Schwarz a sum of products with another such vector, or with 8-bit codes
of up to 65 536 dimensions, stays below 2**50."""

WIDE_BYTES = 128 << 10
"""Of float64 numbers made at once. More is new memory from the system at each search: 200 rows of
256 dimensions took 0.5 ms instead of 0.03."""

WideArray = npt.NDArray[np.float64]


class RowProducts(NamedTuple):
    """What rows give with a query. Whole numbers, exact.

    Attributes:
        products: (n,) float64 dot products with the query's coordinates x `QUERY_UNIT`, rounded.
        squares: (n,) float64 dot products of each row with itself.
    """

    products: WideArray
    squares: WideArray


def row_products(records: bytes, rows: IntArray, query: FloatArray) -> RowProducts | None:
    """Check rows and multiply them by a query.

    Args:
        records: one after another, each of dim + 4 bytes.
        rows: (n,) their row numbers, 0 or more.
        query: (dim,) float32, none of its coordinates beyond 1 by more than rounding.

    Returns:
        None where the checksum of a row is wrong.

    Raises:
        ValueError: there are not as many records as rows.
    """
    size = query.size + CRC_BYTES
    check_records(records, rows, size)
    for number, row in enumerate(rows.tolist()):
        body = records[number * size : (number + 1) * size]
        if zlib.crc32(body, zlib.crc32(row.to_bytes(8, "little"))) != CRC_RESIDUE:
            return None
    # A bytearray, because old numpy refuses to look at an empty bytes object.
    table = np.frombuffer(records or bytearray(), dtype=np.int8).reshape(rows.size, size)
    wide = table[:, :-CRC_BYTES].astype(np.float64)
    return RowProducts(wide @ whole_numbers(query), np.einsum("ij,ij->i", wide, wide))


def picked_products(table: Int8Array, places: IntArray, query: FloatArray) -> WideArray:
    """Multiply some rows of a table by a query.

    Args:
        table: (m, dim) int8.
        places: (n,) of its rows, 0 to m - 1.
        query: as in `row_products`.

    Returns:
        (n,) as `RowProducts.products`.

    Raises:
        ValueError: the query is not as wide as the table, or a place is outside it.
    """
    check_width(table, query.size)
    if places.size and not 0 <= places.min() <= places.max() < table.shape[0]:
        raise outside(table)
    whole = whole_numbers(query)
    step = max(16, WIDE_BYTES // (8 * whole.size))
    products = np.empty(places.size)
    for at in range(0, places.size, step):
        part = table[places[at : at + step]].astype(np.float64)
        np.matmul(part, whole, out=products[at : at + step])
    return products


def whole_numbers(units: FloatArray) -> WideArray:
    """Coordinates of unit vectors, of any shape, as whole numbers; see `QUERY_UNIT`."""
    wide: WideArray = np.rint(units.astype(np.float64) * QUERY_UNIT)
    return wide


def check_width(table: Int8Array, dim: int) -> None:
    """Whether the rows of a table are as wide as a query; a compiled kernel relies on it.

    Raises:
        ValueError: they are not.
    """
    if table.ndim != 2 or table.shape[1] != dim:
        raise ValueError(f"a query of {dim} numbers for rows of shape {table.shape}")


def outside(table: Int8Array) -> ValueError:
    """What is raised where a place is not in a table."""
    return ValueError(f"a place outside a table of {len(table)} rows")


def check_records(records: bytes, rows: IntArray, size: int) -> None:
    """Whether there are as many records as rows; a compiled kernel relies on it.

    Raises:
        ValueError: there are not.
    """
    if len(records) != rows.size * size:
        raise ValueError(f"{len(records)} bytes are not {rows.size} records of {size}")


@cache
def crc_tables() -> npt.NDArray[np.uint32]:
    """(8, 256) What a byte does to CRC-32 when 0 to 7 more bytes follow it."""
    tables = np.empty((8, 256), dtype=np.uint32)
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, values >> 1 ^ np.uint32(0xEDB88320), values >> 1)
    tables[0] = values
    for number in range(1, 8):
        values = tables[0][values & 255] ^ values >> 8
        tables[number] = values
    return tables
