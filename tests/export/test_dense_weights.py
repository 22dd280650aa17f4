"""Dense weights whose columns differ in size: the same numbers, and more of them kept at 8 bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from edge_mrl_export.precision.symmetric import quantize
from edge_mrl_export.sources.dense_weights import column_gains, read_dense
from edge_mrl_export.sources.modules import DenseModule

OUT, IN = 24, 96


def uneven(seed, spread):
    """Columns over `spread` powers of two."""
    random = np.random.default_rng(seed)
    sizes = np.exp2(random.uniform(-spread, 0, IN))
    return (random.normal(size=(OUT, IN)) * sizes).astype(np.float32)


@given(seed=st.integers(0, 2**32 - 1), spread=st.floats(0, 40))
def test_products_keep_every_bit(seed, spread):
    matrix = uneven(seed, spread)
    gains = column_gains(matrix)
    exponents = np.log2(gains)
    assert (exponents == np.rint(exponents)).all() and gains.max() == 1
    row = np.random.default_rng(seed).normal(size=IN).astype(np.float32)
    np.testing.assert_array_equal((row * gains) * (matrix / gains), row * matrix)


def test_even_columns_and_zeros_have_no_gains():
    assert (column_gains(np.zeros((3, 4), dtype=np.float32)) == 1).all()
    matrix = np.ones((3, 4), dtype=np.float32)
    matrix[:, 1] = 0
    assert (column_gains(matrix) == 1).all()


@pytest.mark.parametrize("spread", [6, 12])
def test_small_columns_keep_their_bits(tmp_path, spread):
    """Against the product in float64, the error of 8 bits falls to less than a third."""
    matrix = uneven(3, spread)
    save_file({"linear.weight": matrix}, tmp_path / "model.safetensors")
    weights = read_dense(DenseModule(tmp_path, IN, OUT, False, "Identity"))
    # What fills the small columns is large, as where an adapter adds to what it passes on.
    rows = np.random.default_rng(4).normal(size=(50, IN)) / np.abs(matrix).max(axis=0)
    exact = rows @ matrix.astype(np.float64).T

    def error(found):
        return np.abs(found - exact).mean()

    plain = quantize(matrix, axis=0)
    even = quantize(weights.matrix, axis=0)
    before = error(rows @ (plain.codes * plain.scales[:, None].astype(np.float64)).T)
    after = error((rows * weights.gains) @ (even.codes * even.scales[:, None].astype(float)).T)
    assert after < before / 3
