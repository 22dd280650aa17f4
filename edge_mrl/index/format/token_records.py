"""The token vectors of a document as bytes: codes, checksum. Pure; docs/index-format.md specifies
it."""

from __future__ import annotations

import zlib

import numpy as np

from edge_mrl.index.format.codes import ByteArray, Codes, decode, encode
from edge_mrl.retrieval.multi_vector import MAX_TOKENS
from edge_mrl.slices import FloatArray, Slice, prefix

CRC_BYTES = 4


def pack_codes(units: FloatArray, slice_: Slice) -> bytes:
    """The codes of some tokens, one after another.

    Their scales are left out: a token's direction is all that its cosine needs.

    Args:
        units: (tokens, slice_.dim) float32.
        slice_: what is kept.
    """
    return encode(units, slice_).packed.tobytes()


def reslice_codes(codes: ByteArray, held: Slice, wanted: Slice) -> bytes:
    """The codes of some tokens from those of a larger slice; a token that has no direction in it
    is left out.

    Args:
        codes: (tokens, held.code_bytes) uint8.
        held: what they are.
        wanted: at most as many dimensions and bits.
    """
    if held == wanted:
        return codes.tobytes()
    ones = np.ones(len(codes), dtype=np.float32)
    units = prefix(decode(Codes(codes, ones), held), wanted.dim)
    return pack_codes(units[units.any(axis=1)], wanted)


def pack_record(row: int, codes: bytes) -> bytes:
    """A document's record: its codes and CRC-32 over row and codes."""
    return codes + _crc(row, codes).to_bytes(CRC_BYTES, "little")


def unpack_record(row: int, record: object, slice_: Slice) -> ByteArray | None:
    """The codes as (tokens, code_bytes) uint8, tokens 1 or more; None where anything is wrong."""
    if not isinstance(record, bytes):
        return None
    size, count = slice_.code_bytes, len(record) - CRC_BYTES
    if not 0 < count <= MAX_TOKENS * size or count % size:
        return None
    # A query waits for this; a view spares a copy of each record.
    crc = int.from_bytes(record[count:], "little")
    if crc != _crc(row, memoryview(record)[:count]):
        return None
    return np.frombuffer(record, dtype=np.uint8, count=count).reshape(-1, size)


def _crc(row: int, body: bytes | memoryview) -> int:
    return zlib.crc32(body, zlib.crc32(row.to_bytes(8, "little")))
