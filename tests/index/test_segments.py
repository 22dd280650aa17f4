import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.index.codes import encode
from edge_mrl.index.layout import IndexLayout
from edge_mrl.index.segments import (
    MAX_ROWS,
    build,
    from_blobs,
    joined,
    refined_blobs,
    to_blobs,
    with_refined,
    without,
)
from edge_mrl.index.vector_rows import Vectors
from edge_mrl.kernel import unpack
from edge_mrl.slices import Slice

SCAN = Slice(16, 2)
LAYOUT = IndexLayout(Slice(16, 8), SCAN, Slice(16, 4))


def vectors_of(rows):
    units = np.random.default_rng(0).standard_normal((len(rows), 16)).astype(np.float32)
    return Vectors(np.array(rows, dtype=np.int64), encode(units, LAYOUT.stored), LAYOUT.stored)


def segment_of(rows, first=1, last=None):
    return build(first, last or rows[-1], vectors_of(rows), LAYOUT)


@settings(deadline=None)
@given(st.sets(st.integers(1, 60), min_size=1).map(sorted))
def test_there_and_back(rows):
    segment = segment_of(rows)
    blobs = to_blobs(segment)
    assert (blobs.row_numbers == b"") == (rows == list(range(1, rows[-1] + 1)))
    again = from_blobs(1, rows[-1], blobs, SCAN)
    assert again is not None
    assert again.rows.tolist() == rows
    assert (again.block.codes == segment.block.codes).all()
    assert (again.block.gains == segment.block.gains).all()
    finer = refined_blobs(segment)
    assert finer is not None
    whole = with_refined(again, finer, LAYOUT.refine)
    assert whole is not None
    assert (whole.refined.codes == segment.refined.codes).all()
    assert (whole.refined.gains == segment.refined.gains).all()
    assert whole.refined.codes.ctypes.data % 64 == 0
    assert (whole.refined.codes == encode(vectors_of(rows).units, LAYOUT.refine).packed).all()


def test_bytes_of_64_rows_lie_together():
    segment = segment_of(range(1, 71))
    assert segment.block.codes.shape == (2, SCAN.code_bytes, 64)
    packed = encode(vectors_of(range(70)).units, SCAN).packed
    blobs = to_blobs(segment)
    assert blobs.codes[:64] == bytes(packed[:64, 0])
    assert blobs.codes[64:128] == bytes(packed[:64, 1])
    second = 64 * SCAN.code_bytes
    assert blobs.codes[second : second + 64] == bytes(packed[64:, 0]) + bytes(58)
    assert len(blobs.codes) == 2 * second


def test_damaged_refine_codes_are_noticed():
    segment = segment_of([1, 2, 3])
    finer = refined_blobs(segment)
    plain = from_blobs(1, 3, to_blobs(segment), SCAN)
    for damaged in (
        finer._replace(codes=finer.codes[:-1] + bytes([finer.codes[-1] ^ 1])),
        finer._replace(codes=finer.codes[:-1]),
        finer._replace(gains=finer.gains[:-2]),
        finer._replace(row_numbers=bytes(24)),
        refined_blobs(segment_of([1, 2])),
        refined_blobs(segment_of([2, 3, 4], first=2)),
    ):
        assert with_refined(plain, damaged, LAYOUT.refine) is None
    assert with_refined(plain, finer, Slice(16, 2)) is None
    assert with_refined(plain, finer, LAYOUT.refine) is not None


@pytest.mark.parametrize("field", ["row_numbers", "gains", "codes"])
def test_any_flipped_bit_is_noticed(field):
    blobs = to_blobs(segment_of([1, 3, 4, 9]))
    value = getattr(blobs, field)
    for place in range(len(value)):
        flipped = bytearray(value)
        flipped[place] ^= 1 << (place % 8)
        damaged = blobs._replace(**{field: bytes(flipped)})
        assert from_blobs(1, 9, damaged, SCAN) is None
    assert from_blobs(1, 10, blobs, SCAN) is None
    assert from_blobs(1, 9, blobs._replace(crc32=blobs.crc32 ^ 1), SCAN) is None


def test_another_slice_is_noticed():
    blobs = to_blobs(segment_of([1, 2, 3]))
    assert from_blobs(1, 3, blobs, Slice(8, 2)) is None
    assert from_blobs(1, 3, blobs, SCAN) is not None


@pytest.mark.parametrize("rows", [[3, 2], [2, 2], [0, 3], [1, 7]])
def test_row_numbers_out_of_order_or_range_are_refused(rows):
    # A sound checksum over nonsense: only somebody who means it writes this.
    segment = segment_of([1, 2])
    wrong = segment._replace(numbers=np.array(rows, dtype=np.int64), last_row=5)
    assert from_blobs(1, 5, to_blobs(wrong), SCAN) is None


def test_too_many_rows_are_refused():
    rows = np.arange(1, MAX_ROWS + 2)
    segment = build(1, MAX_ROWS + 1, vectors_of(rows), LAYOUT)
    assert from_blobs(1, MAX_ROWS + 1, to_blobs(segment), SCAN) is None


@settings(deadline=None)
@given(
    st.sets(st.integers(1, 40), min_size=1).map(sorted),
    st.lists(st.lists(st.integers(0, 45), max_size=10), max_size=4),
)
def test_masking_is_set_difference(rows, deletions):
    segment = segment_of(rows)
    for dead in deletions:
        segment = without(segment, np.array(dead, dtype=np.int64))
    gone = {row for dead in deletions for row in dead}
    alive = segment.block.alive
    left = segment.rows if alive is None else segment.rows[alive]
    assert left.tolist() == [row for row in rows if row not in gone]


def test_joined_segments_keep_their_masks():
    first = without(segment_of([1, 2, 3]), np.array([2]))
    both = joined(first, segment_of([4, 5], first=4), LAYOUT)
    assert (both.first_row, both.last_row) == (1, 5)
    assert both.block.alive is not None
    assert both.rows[both.block.alive].tolist() == [1, 3, 4, 5]
    assert both.block.codes.shape == (1, SCAN.code_bytes, 64)
    assert (unpack(both.block)[3:] == unpack(segment_of([4, 5], first=4).block)).all()
    assert both.block.gains.size == 5
    assert both.refined.codes.shape == (5, LAYOUT.refine.code_bytes)
    assert (both.refined.codes[3:] == segment_of([4, 5], first=4).refined.codes).all()
