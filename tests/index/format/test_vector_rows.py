import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl.index.format.codes import encode
from edge_mrl.index.format.vector_rows import (
    pack_records,
    record_bytes,
    shorter_record,
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
    assert unit_vectors(unpacked.codes, slice_) == pytest.approx(
        rows_of(9) / np.linalg.norm(rows_of(9), axis=1, keepdims=True), abs=0.01
    )


def test_the_bytes_are_those_of_the_specification():
    slice_ = Slice(4, 8)
    codes = encode(np.array([[1, -1, 0, 0]], dtype=np.float32), slice_)
    body = struct.pack("<4b", 127, -127, 0, 0)
    crc = struct.pack("<I", zlib.crc32(struct.pack("<q", 7) + body))
    assert pack_records(codes, slice_, 7) == [body + crc]
    older = struct.pack("<f", float(np.float32(np.sqrt(0.5)) / np.float32(127))) + body
    older_crc = struct.pack("<I", zlib.crc32(struct.pack("<q", 7) + older))
    assert pack_records(codes, slice_, 7, scaled=True) == [older + older_crc]
    assert shorter_record(7, older + older_crc) == body + crc


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.data())
def test_older_and_newer_records_are_read_together(older, data):
    slice_ = Slice(4, 8)
    codes = encode(rows_of(len(older), 4), slice_)
    new, old = (pack_records(codes, slice_, 5, scaled=scaled) for scaled in (False, True))
    records = [a if is_old else b for a, b, is_old in zip(old, new, older, strict=True)]
    rows = range(5, 5 + len(older))
    unpacked = unpack_records(rows, records, slice_)
    assert unpacked.damaged == ()
    assert (unpacked.codes.packed == codes.packed).all()
    place = data.draw(st.integers(0, len(older) - 1))
    records[place] = bytes([records[place][0] ^ 1]) + records[place][1:]
    unpacked = unpack_records(rows, records, slice_)
    assert unpacked.damaged == (5 + place,)
    assert (unpacked.codes.packed == np.delete(codes.packed, place, axis=0)).all()
    assert shorter_record(5 + place, records[place]) == records[place]


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
