import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.index.format.codes import encode
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segments import CodeRoom, build, joined, without
from edge_mrl.index.format.vector_rows import Vectors
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


@settings(deadline=None)
@given(st.integers(0, 2000), st.lists(st.integers(0, 300), max_size=20))
def test_pieces_of_a_room_do_not_overlap_and_begin_with_a_cache_line(size, wanted):
    room = CodeRoom(size)
    pieces = [room.take(each) for each in wanted]
    for number, piece in enumerate(pieces):
        piece[:] = number
    for number, (piece, each) in enumerate(zip(pieces, wanted, strict=True)):
        assert piece.shape == (each,)
        assert (piece == number).all()
        assert not each or piece.ctypes.data % 64 == 0


def test_a_room_holds_what_was_reckoned():
    wanted = [100, 64, 1]
    room = CodeRoom(sum(CodeRoom.taken_by(each) for each in wanted))
    first, *others = (room.take(each) for each in wanted)
    assert all(np.shares_memory(first.base, other.base) for other in others)
