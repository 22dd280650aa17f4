import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.index.format.codes import Codes, decode, derive, encode, gains, rotate_query
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segments import build
from edge_mrl.index.format.vector_rows import Vectors
from edge_mrl.kernel import prepare, score
from edge_mrl.slices import Slice, prefix

BITS = st.sampled_from([1, 2, 4, 8, 16, 32])


def random_rows(count, dim, seed):
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


@settings(deadline=None, max_examples=80)
@given(BITS, st.integers(1, 70), st.integers(0, 5), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_shapes_and_determinism(bits, dim, extra, count, seed):
    rows = random_rows(count, dim + extra, seed)
    slice_ = Slice(dim, bits)
    codes = encode(rows, slice_)
    assert codes.packed.shape == (count, slice_.code_bytes)
    assert codes.packed.dtype == np.uint8
    assert codes.scales.shape == (count,)
    assert decode(codes, slice_).shape == (count, dim)
    again = encode(rows * np.float32(4), slice_)
    assert (again.packed == codes.packed).all()
    for number in range(count):
        alone = encode(rows[number : number + 1], slice_)
        assert (alone.packed[0] == codes.packed[number]).all()
        assert alone.scales[0] == codes.scales[number]


@settings(deadline=None, max_examples=80)
@given(st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_eight_bits_err_by_half_a_step_at_most(dim, seed):
    rows = random_rows(4, dim + 3, seed)
    codes = encode(rows, Slice(dim, 8))
    error = np.abs(decode(codes, Slice(dim, 8)) - prefix(rows, dim))
    assert (error <= codes.scales[:, None] * 0.5001 + 1e-7).all()


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_floats_err_by_their_rounding(dim, seed):
    rows = random_rows(4, dim + 3, seed)
    unit = prefix(rows, dim)
    assert np.allclose(decode(encode(rows, Slice(dim, 32)), Slice(dim, 32)), unit, atol=1e-7)
    half = decode(encode(rows, Slice(dim, 16)), Slice(dim, 16))
    assert (np.abs(half - unit) <= np.abs(unit) * 2**-11 + 2**-24).all()


@pytest.mark.parametrize(("bits", "distortion"), [(1, 0.3634), (2, 0.1175), (4, 0.009497)])
@pytest.mark.parametrize("dim", [256, 384])
def test_few_bits_keep_the_cosine_that_theory_gives(bits, distortion, dim):
    # A least-squares quantiser with error D keeps a correlation of sqrt(1 - D) (Max 1960, table I).
    rows = random_rows(300, dim, 7)
    decoded = decode(encode(rows, Slice(dim, bits)), Slice(dim, bits))
    cosines = np.einsum("ij,ij->i", prefix(decoded, dim), prefix(rows, dim))
    assert cosines.mean() == pytest.approx(np.sqrt(1 - distortion), abs=0.01)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("dim", [1, 3, 37, 64, 384])
def test_a_vector_and_its_decoded_form_have_dot_product_one(bits, dim):
    rows = random_rows(50, dim, 3)
    decoded = decode(encode(rows, Slice(dim, bits)), Slice(dim, bits))
    assert np.allclose(np.einsum("ij,ij->i", decoded, prefix(rows, dim)), 1, atol=1e-4)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_an_all_zero_prefix_has_scale_zero(bits):
    rows = np.array([[0, 0, 0, 1], [1, 0, 0, 0]], dtype=np.float32)
    codes = encode(rows, Slice(3, bits))
    assert codes.scales[0] == 0
    assert not decode(codes, Slice(3, bits))[0].any()
    assert gains(codes.scales, Slice(3, bits))[0] == 0


def test_first_coordinates_are_in_the_lowest_bits():
    # Eight bits: two's complement, in order.
    codes = encode(np.array([[1.0, -1.0, 0.0]], dtype=np.float32), Slice(3, 8))
    assert codes.packed.tolist() == [[127, 129, 0]]
    # Two bits, code numbers 3, 0, 1, 2 for coordinates 0 to 3 decode to levels in that order.
    packed = np.array([[3 | 0 << 2 | 1 << 4 | 2 << 6]], dtype=np.uint8)
    vector = decode(Codes(packed, np.ones(1, dtype=np.float32)), Slice(4, 2))[0]
    rotated = rotate_query(vector, Slice(4, 2))
    assert np.allclose(rotated, [1.510, -1.510, -0.4528, 0.4528], atol=1e-5)


@pytest.mark.parametrize(("bits", "dim"), [(1, 256), (2, 128), (4, 100), (8, 64)])
def test_kernel_scores_estimate_the_dot_product(bits, dim):
    rows = prefix(random_rows(500, dim, 11), dim)
    slice_ = Slice(dim, bits)
    stored = Slice(dim, 8)
    vectors = Vectors(np.arange(1, 501), encode(rows, stored), stored)
    segment = build(1, 500, vectors, IndexLayout(stored, slice_))
    scores = score(prepare(rotate_query(rows[0], slice_), bits), segment.block)
    decoded = decode(derive(vectors.codes, stored, slice_), slice_)
    expected = decoded @ rows[0]
    # A table's entries are rounded to 64 steps.
    assert np.corrcoef(scores, expected)[0, 1] > 0.998


def test_gains_follow_their_formula():
    scales = np.array([0.1, 0.0, 1e9], dtype=np.float32)
    assert gains(scales, Slice(64, 2)).tolist() == [819, 0, 65_535]
    assert gains(scales[:2], Slice(64, 8)).tolist() == [52_429, 0]


@pytest.mark.parametrize("stored", ["100x8", "100x16", "100x32"])
@pytest.mark.parametrize("wanted", ["100x1", "100x2", "64x4", "16x8"])
def test_derived_codes_are_those_of_the_decoded_vector(stored, wanted):
    """From 8 bits they are made without going through floats."""
    kept, slice_ = Slice.parse(stored), Slice.parse(wanted)
    rows = random_rows(300, 100, 5)
    rows[7] = 0
    rows[8, : slice_.dim] = 0
    codes = encode(rows, kept)
    found, expected = derive(codes, kept, slice_), encode(decode(codes, kept), slice_)
    # A coordinate next to a threshold may fall on its other side: the floats were rounded.
    assert (found.packed == expected.packed).mean() > 0.999
    assert np.allclose(found.scales, expected.scales, rtol=1e-4, atol=0)
