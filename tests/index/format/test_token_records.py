"""Records and descriptions of token vectors: read back as written, refused otherwise."""

import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from edge_mrl.errors import IndexFileError
from edge_mrl.index.format.token_layout import TokenLayout
from edge_mrl.index.format.token_records import pack_codes, pack_record, unpack_record
from edge_mrl.slices import Slice, normalize

SLICES = st.builds(Slice, st.integers(1, 40), st.sampled_from([1, 2, 4, 8, 16, 32]))


@given(
    slice_=SLICES,
    tokens=st.integers(1, 5),
    row=st.integers(1, 2**62),
    flip=st.integers(0, 10**6),
    other=st.integers(1, 2**62),
)
def test_a_record_is_read_back_and_any_changed_bit_is_noticed(slice_, tokens, row, flip, other):
    generator = np.random.default_rng(tokens)
    units = normalize(generator.standard_normal((tokens, slice_.dim)).astype(np.float32))
    codes = pack_codes(units, slice_)
    record = pack_record(row, codes)
    assert len(record) == tokens * slice_.code_bytes + 4
    assert unpack_record(row, record, slice_).tobytes() == codes
    changed = bytearray(record)
    changed[flip // 8 % len(record)] ^= 1 << flip % 8
    assert unpack_record(row, bytes(changed), slice_) is None
    assert other == row or unpack_record(other, record, slice_) is None
    assert unpack_record(row, record[:-1], slice_) is None


@given(slice_=SLICES, record=st.one_of(st.binary(max_size=64), st.text(), st.none(), st.integers()))
def test_anything_else_is_no_record(slice_, record):
    assert unpack_record(1, record, slice_) is None


def test_codes_of_no_token_or_of_another_width_are_no_record():
    assert unpack_record(1, pack_record(1, b""), Slice(4, 8)) is None
    assert unpack_record(1, pack_record(1, bytes(9)), Slice(4, 8)) is None


@given(
    sizes=st.sets(st.integers(1, 4096), min_size=1, max_size=5),
    bits=st.sampled_from([1, 2, 4, 8, 16, 32]),
)
def test_a_description_is_read_back(sizes, bits):
    for stored in sizes:
        layout = TokenLayout.checked(max(sizes), sorted(sizes), (stored, bits))
        assert TokenLayout.from_json(layout.to_json(), "here") == layout


@pytest.mark.parametrize(
    "change",
    [
        {"dim": 0},
        {"dim": "8"},
        {"dim": 6},
        {"matryoshka_dims": []},
        {"matryoshka_dims": [8, 70_000]},
        {"stored": "8x3"},
        {"stored": "6x8"},
        {"stored": 8},
    ],
)
def test_a_damaged_description_is_one_sentence(change):
    facts = {"dim": 8, "matryoshka_dims": [4, 8], "stored": "8x8"}
    assert TokenLayout.from_json(json.dumps(facts), "here").stored == Slice(8, 8)
    with pytest.raises(IndexFileError, match="^here"):
        TokenLayout.from_json(json.dumps(facts | change), "here")


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"dim": 8}'])
def test_no_description_at_all(text):
    with pytest.raises(IndexFileError, match="^here"):
        TokenLayout.from_json(text, "here")
