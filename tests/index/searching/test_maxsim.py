"""MaxSim against loops in plain Python, and against other ways to cut the same work."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from edge_mrl.index.format.codes import Codes, decode, encode
from edge_mrl.index.searching import maxsim as module
from edge_mrl.index.searching.maxsim import maxsim
from edge_mrl.slices import Slice, normalize


def units(count, dim, seed):
    return normalize(np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32))


def cosine(one, other):
    dot = math.fsum(float(a) * float(b) for a, b in zip(one, other, strict=True))
    return dot / math.hypot(*map(float, one)) / math.hypot(*map(float, other))


def by_hand(query, documents):
    """Khattab and Zaharia's sum of maxima, of vectors as they are."""
    return [
        math.fsum(max(cosine(asked, token) for token in document) for asked in query)
        for document in documents
    ]


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    asked=st.integers(1, 5),
    dim=st.sampled_from([1, 2, 7, 16, 33]),
    bits=st.sampled_from([1, 2, 4, 8, 16, 32]),
    at_once=st.sampled_from([1, 40, 1 << 16]),
    seed=st.integers(0, 99),
)
@settings(max_examples=80, deadline=None)
def test_scores_are_sums_of_maxima(lengths, asked, dim, bits, at_once, seed):
    slice_ = Slice(dim, bits)
    query = units(asked, dim, seed)
    codes = encode(units(sum(lengths), dim, seed + 1000), slice_)
    vectors = decode(Codes(codes.packed, codes.scales), slice_)
    documents = np.split(vectors, np.cumsum(lengths)[:-1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_AT_ONCE", at_once)
        found = maxsim(query, codes.packed, np.array(lengths), slice_)
    assert found == pytest.approx(by_hand(query, documents), abs=2e-6)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16, 32])
def test_scores_depend_neither_on_the_cut_nor_on_the_order(monkeypatch, bits):
    slice_ = Slice(96, bits)
    query = units(32, 96, 1)
    packed = encode(units(600, 96, 2), slice_).packed
    lengths = np.array([100, 1, 299, 200])
    whole = maxsim(query, packed, lengths, slice_)
    monkeypatch.setattr(module, "_AT_ONCE", 96 * 7)
    assert maxsim(query, packed, lengths, slice_).tolist() == whole.tolist()
    alone = [
        maxsim(query, part, np.array([len(part)]), slice_)[0]
        for part in np.split(packed, np.cumsum(lengths)[:-1])
    ]
    assert alone == whole.tolist()
    # Coordinates in another order are summed in another order; 1 to 4 bits are turned first.
    if bits == 8:
        shuffled = np.random.default_rng(3).permutation(96)
        moved = maxsim(query[:, shuffled], packed[:, shuffled], lengths, slice_)
        assert moved.tolist() == whole.tolist()


def test_a_token_of_zeros_meets_nothing():
    zeros = np.zeros((2, 8), dtype=np.uint8)
    assert maxsim(units(3, 8, 1), zeros, np.array([2]), Slice(8, 8)).tolist() == [0.0]


@pytest.mark.parametrize("bits", [8, 32])
def test_a_text_meets_itself_wholly(bits):
    slice_ = Slice(64, bits)
    query = units(12, 64, 4)
    packed = encode(query, slice_).packed
    assert maxsim(query, packed, np.array([12]), slice_)[0] == pytest.approx(12, abs=2e-3)
