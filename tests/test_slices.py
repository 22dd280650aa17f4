"""Slices against the formula, computed in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl.errors import InputError, SliceError, UntrainedDimError
from edge_mrl.slices import CODE_BITS, Slice, check_trained, normalize, prefix


@given(st.integers(1, 65_536), st.sampled_from(CODE_BITS))
def test_text_form_round_trips(dim, bits):
    assert Slice.parse(str(Slice(dim, bits))) == Slice(dim, bits)


@pytest.mark.parametrize(
    ("slice_", "codes", "whole"),
    [
        (Slice(256, 1), 32, 36),
        (Slice(128, 2), 32, 36),
        (Slice(64, 8), 64, 68),
        (Slice(10, 1), 2, 6),
        (Slice(256, 32), 1024, 1024),
        (Slice(256, 16), 512, 512),
    ],
)
def test_bytes(slice_, codes, whole):
    assert (slice_.code_bytes, slice_.nbytes) == (codes, whole)


@pytest.mark.parametrize(
    "text", ["", "128", "128x", "x8", "128x3", "0x8", "-1x8", "128*8", "99999999x8"]
)
def test_what_is_no_slice_is_refused(text):
    with pytest.raises(SliceError):
        Slice.parse(text)


def test_an_untrained_size_is_refused_with_the_trained_ones():
    assert check_trained(128, (64, 128, 256)) == 128
    with pytest.raises(UntrainedDimError, match=r"100 dimensions.*64, 128, 256"):
        check_trained(100, (64, 128, 256))


@given(st.integers(1, 40), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_prefix_is_the_renormalised_prefix(dim, rows, seed):
    vectors = np.random.default_rng(seed).standard_normal((rows, 40)).astype(np.float32)
    wanted = vectors[:, :dim].astype(np.float64)
    wanted /= np.sqrt((wanted**2).sum(axis=1, keepdims=True))
    got = prefix(vectors, dim)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_prefix_of_a_prefix_is_the_prefix():
    vectors = np.random.default_rng(1).standard_normal((5, 64)).astype(np.float32)
    np.testing.assert_allclose(prefix(prefix(vectors, 32), 8), prefix(vectors, 8), atol=1e-6)


def test_a_row_of_zeros_stays_zero():
    assert not normalize(np.zeros((2, 3), dtype=np.float32)).any()


def test_a_prefix_wider_than_the_vectors_is_refused():
    with pytest.raises(InputError, match="4 dimensions"):
        prefix(np.ones((2, 3), dtype=np.float32), 4)
