import struct
import zlib

import numpy as np
import pytest

from edge_mrl.index.codes import encode
from edge_mrl.index.vector_rows import (
    pack_records,
    record_bytes,
    unit_vectors,
    unpack_records,
)
from edge_mrl.slices import Slice


def rows_of(count, dim=24):
    return np.random.default_rng(4).standard_normal((count, dim)).astype(np.float32)


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_there_and_back(bits):
    slice_ = Slice(24, bits)
    codes = encode(rows_of(9), slice_)
    records = pack_records(codes, slice_, 100)
    assert {len(record) for record in records} == {record_bytes(slice_)}
    unpacked = unpack_records(range(100, 109), records, slice_)
    assert unpacked.damaged == ()
    assert (unpacked.codes.packed == codes.packed).all()
    assert (unpacked.codes.scales == codes.scales).all()
    assert unit_vectors(unpacked.codes, slice_) == pytest.approx(
        rows_of(9) / np.linalg.norm(rows_of(9), axis=1, keepdims=True), abs=0.01
    )


def test_the_bytes_are_those_of_the_specification():
    slice_ = Slice(4, 8)
    codes = encode(np.array([[1, -1, 0, 0]], dtype=np.float32), slice_)
    body = struct.pack("<f4b", float(np.float32(np.sqrt(0.5)) / np.float32(127)), 127, -127, 0, 0)
    crc = zlib.crc32(struct.pack("<q", 7) + body)
    assert pack_records(codes, slice_, 7) == [body + struct.pack("<I", crc)]


def test_every_flipped_bit_and_wrong_row_is_noticed():
    slice_ = Slice(4, 8)
    (record,) = pack_records(encode(rows_of(1, 4), slice_), slice_, 5)
    for place in range(len(record) * 8):
        flipped = bytearray(record)
        flipped[place // 8] ^= 1 << (place % 8)
        assert unpack_records([5], [bytes(flipped)], slice_).damaged == (5,)
    assert unpack_records([6], [record], slice_).damaged == (6,)
    assert unpack_records([5], [record[:-1]], slice_).damaged == (5,)
    assert unpack_records([5], [record], slice_).damaged == ()
