"""Segments as bytes: there and back, and damage that is noticed."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.index.format.codes import encode
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segment_bytes import from_blobs, refine_blobs, scan_blobs, with_refined
from edge_mrl.index.format.segments import MAX_ROWS, build
from edge_mrl.index.format.vector_rows import Vectors
from edge_mrl.slices import Slice

STORED = Slice(16, 8)
SCAN = Slice(16, 2)
LAYOUT = IndexLayout(STORED, SCAN, Slice(16, 4))
IN_PLANES = IndexLayout(STORED, Slice(16, 1), Slice(16, 2))


def vectors_of(rows):
    units = np.random.default_rng(0).standard_normal((len(rows), 16)).astype(np.float32)
    return Vectors(np.array(rows, dtype=np.int64), encode(units, STORED), STORED)


def segment_of(rows, first=1, last=None, layout=LAYOUT):
    return build(first, last or rows[-1], vectors_of(rows), layout)


LAYOUTS = [
    LAYOUT,
    IN_PLANES,
    IndexLayout(STORED, Slice(16, 1), Slice(16, 4)),
    IndexLayout(STORED, Slice(8, 1), Slice(16, 2)),
    IndexLayout(STORED, Slice(13, 1), Slice(13, 4)),
    IndexLayout(STORED, Slice(16, 1), Slice(16, 8)),
]


@settings(deadline=None)
@given(
    st.sets(st.integers(1, 60), min_size=1).map(sorted),
    st.sampled_from(LAYOUTS),
    st.booleans(),
)
def test_there_and_back(rows, layout, in_room):
    segment = segment_of(rows, layout=layout)
    blobs = scan_blobs(segment)
    assert (blobs.row_numbers == b"") == (rows == list(range(1, rows[-1] + 1)))
    again = from_blobs(1, rows[-1], blobs, layout.scan)
    assert again is not None
    assert again.rows.tolist() == rows
    assert (again.block.codes == segment.block.codes).all()
    assert (again.block.gains == segment.block.gains).all()
    finer = refine_blobs(segment, layout)
    assert finer is not None
    if in_room:
        # As they are read from a file.
        room = np.zeros(max(finer.codes.size, segment.refined.codes.size), dtype=np.uint8)
        room[room.size - finer.codes.size :] = finer.codes
        codes = room[room.size - finer.codes.size :]
        finer = finer._replace(room=room, codes=codes)
    whole = with_refined(again, finer, layout)
    assert whole is not None
    assert (whole.refined.codes == segment.refined.codes).all()
    assert (whole.refined.gains == segment.refined.gains).all()
    assert (whole.refined.codes == encode(vectors_of(rows).units, layout.refine).packed).all()


def test_planes_leave_out_what_the_scan_codes_hold():
    segment = segment_of(range(1, 71), layout=IN_PLANES)
    finer = refine_blobs(segment, IN_PLANES)
    assert finer.codes.size == 70 * 2
    # By the thresholds of the format: outside of +-0.9816 the lower bit is 1 above 0, 0 below.
    codes = segment.refined.codes
    numbers = (codes[:, :, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3
    expected = np.packbits(numbers.reshape(70, 16) & 1, axis=1, bitorder="little")
    assert finer.codes.tobytes() == expected.tobytes()
    assert not LAYOUT.shares_plane
    assert not IndexLayout(STORED, Slice(8, 1), Slice(16, 2)).shares_plane
    # Nine coordinates at 4 bits are five bytes; three planes of them are six.
    assert not IndexLayout(STORED, Slice(9, 1), Slice(9, 4)).shares_plane


def test_whole_refine_codes_of_older_files_are_read_too():
    segment = segment_of(range(1, 71), layout=IN_PLANES)
    plain = segment._replace(refined=None)
    whole = refine_blobs(segment, IndexLayout(STORED, Slice(8, 1), Slice(16, 2)))
    gains = segment.refined.gains.astype("<u2").tobytes()
    crc = zlib.crc32(struct.pack("<qq", 1, 70) + gains + whole.codes.tobytes())
    older = whole._replace(format=3, gains=gains, crc32=crc)
    for blobs in (whole, older):
        found = with_refined(plain, blobs, IN_PLANES)
        assert (found.refined.codes == segment.refined.codes).all()
        assert (found.refined.gains == segment.refined.gains).all()


def blobs_with(gains):
    """Scan codes of rows 1 to 3 with other gains, and a checksum that fits."""
    blobs = scan_blobs(segment_of([1, 2, 3]))
    crc = zlib.crc32(struct.pack("<qq", 1, 3) + gains + blobs.codes.tobytes())
    return blobs._replace(gains=gains, crc32=crc)


def test_a_segment_without_rows():
    segment = build(1, 9, vectors_of([]), LAYOUT)
    again = from_blobs(1, 9, scan_blobs(segment), SCAN)
    assert again.rows.size == 0
    assert with_refined(again, refine_blobs(segment, LAYOUT), LAYOUT).refined.rows == 0


def test_gains_stand_low_bytes_first_and_are_packed():
    segment = segment_of([1, 2, 3])
    numbers = segment.block.gains.tolist()
    halves = bytes([*(n & 255 for n in numbers), *(n >> 8 for n in numbers)])
    blobs = scan_blobs(segment)
    assert zlib.decompress(blobs.gains) == halves
    assert (
        from_blobs(1, 3, blobs_with(zlib.compress(halves, 0)), SCAN).block.gains.tolist() == numbers
    )
    for wrong in (
        b"",
        halves,
        blobs.gains[:-1],
        blobs.gains + b"x",
        zlib.compress(halves[1:]),
        zlib.compress(halves + b"\0\0"),
        # Twenty megabytes in as many kilobytes.
        zlib.compress(bytes(20 << 20)),
    ):
        assert from_blobs(1, 3, blobs_with(wrong), SCAN) is None


def test_bytes_of_64_rows_lie_together():
    segment = segment_of(range(1, 71))
    assert segment.block.codes.shape == (2, SCAN.code_bytes, 64)
    packed = encode(vectors_of(range(70)).units, SCAN).packed
    codes = scan_blobs(segment).codes.tobytes()
    assert codes[:64] == bytes(packed[:64, 0])
    assert codes[64:128] == bytes(packed[:64, 1])
    second = 64 * SCAN.code_bytes
    assert codes[second : second + 64] == bytes(packed[64:, 0]) + bytes(58)
    assert len(codes) == 2 * second


@pytest.mark.parametrize("layout", [LAYOUT, IN_PLANES])
def test_damaged_refine_codes_are_noticed(layout):
    def blobs_of(*rows, first=1):
        return refine_blobs(segment_of(rows, first, layout=layout), layout)

    finer = blobs_of(1, 2, 3)
    plain = segment_of([1, 2, 3], layout=layout)._replace(refined=None)
    flipped = finer.codes.copy()
    flipped[-1] ^= 1
    for damaged in (
        finer._replace(codes=flipped),
        finer._replace(codes=finer.codes[:-1]),
        finer._replace(gains=finer.gains[:-2]),
        finer._replace(row_numbers=bytes(24)),
        finer._replace(format=2),
        finer._replace(format=3),
        finer._replace(format=99),
        finer._replace(format="text"),
        blobs_of(1, 2),
        blobs_of(2, 3, 4, first=2),
    ):
        assert with_refined(plain, damaged, layout) is None
    assert with_refined(plain, finer, IndexLayout(STORED, SCAN)) is None
    assert with_refined(plain, finer, layout) is not None


def test_planes_are_refused_where_the_scan_codes_do_not_hold_the_rest():
    finer = refine_blobs(segment_of([1, 2, 3], layout=IN_PLANES), IN_PLANES)
    other = IndexLayout(STORED, Slice(8, 1), Slice(16, 2))
    assert with_refined(segment_of([1, 2, 3], layout=other), finer, other) is None


@pytest.mark.parametrize("field", ["row_numbers", "gains", "codes"])
def test_any_flipped_bit_is_noticed(field):
    blobs = scan_blobs(segment_of([1, 3, 4, 9]))
    value = bytes(getattr(blobs, field))
    for place in range(len(value)):
        flipped = bytearray(value)
        flipped[place] ^= 1 << (place % 8)
        changed = np.frombuffer(flipped, dtype=np.uint8) if field == "codes" else bytes(flipped)
        assert from_blobs(1, 9, blobs._replace(**{field: changed}), SCAN) is None
    assert from_blobs(1, 10, blobs, SCAN) is None
    assert from_blobs(1, 9, blobs._replace(crc32=blobs.crc32 ^ 1), SCAN) is None
    assert from_blobs(1, 9, blobs._replace(format=1), SCAN) is None


def test_another_slice_is_noticed():
    blobs = scan_blobs(segment_of([1, 2, 3]))
    assert from_blobs(1, 3, blobs, Slice(8, 2)) is None
    assert from_blobs(1, 3, blobs, SCAN) is not None


@pytest.mark.parametrize("rows", [[3, 2], [2, 2], [0, 3], [1, 7]])
def test_row_numbers_out_of_order_or_range_are_refused(rows):
    # A sound checksum over nonsense: only somebody who means it writes this.
    segment = segment_of([1, 2])
    wrong = segment._replace(numbers=np.array(rows, dtype=np.int64), last_row=5)
    assert from_blobs(1, 5, scan_blobs(wrong), SCAN) is None


def test_too_many_rows_are_refused():
    rows = np.arange(1, MAX_ROWS + 2)
    segment = build(1, MAX_ROWS + 1, vectors_of(rows), LAYOUT)
    assert from_blobs(1, MAX_ROWS + 1, scan_blobs(segment), SCAN) is None
