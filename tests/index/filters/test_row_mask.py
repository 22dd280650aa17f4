"""Segments cut to some of their rows."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from edge_mrl.index import IndexLayout
from edge_mrl.index.filters.allowed import _rising
from edge_mrl.index.filters.row_mask import restricted
from edge_mrl.index.format.codes import encode
from edge_mrl.index.format.segments import build
from edge_mrl.index.format.vector_rows import Vectors
from edge_mrl.kernel import unpack
from edge_mrl.slices import Slice


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_cut_segments_hold_the_rows_that_were_asked_for(clustered, bits):
    layout = IndexLayout(Slice(32, 8), Slice(16, bits), Slice(32, 8))
    rows = np.array([n for n in range(1, 300) if n % 7])
    codes = encode(clustered(rows.size, 32), layout.stored)
    segment = build(1, 299, Vectors(rows, codes, layout.stored), layout)
    packed = unpack(segment.block)
    for wanted in (np.array([3, 7, 100, 299]), np.arange(1, 400), np.array([5000]), rows[::2]):
        (cut,) = list(restricted([segment], wanted, layout)) or [None]
        expected = np.intersect1d(rows, wanted)
        if cut is None:
            assert not expected.size
            continue
        alive = slice(None) if cut.block.alive is None else cut.block.alive
        assert cut.rows[alive].tolist() == expected.tolist()
        places = np.searchsorted(rows, expected)
        assert np.array_equal(unpack(cut.block)[alive], packed[places])
        assert np.array_equal(cut.refined.codes[alive], segment.refined.codes[places])


@given(st.lists(st.integers(-5, 300) | st.integers(0, 2**40), min_size=1, max_size=60))
def test_rows_come_rising_and_once_however_far_apart(rows):
    assert _rising(np.array(rows, dtype=np.int64)).tolist() == sorted(set(rows))
