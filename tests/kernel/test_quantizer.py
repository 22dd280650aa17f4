import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl.kernel import LEVELS, THRESHOLDS
from edge_mrl.kernel.quantizer import IntQuery, TableQuery, prepare

# Mean squared error of the least-squares quantiser of a standard normal: Max 1960, table I.
MAX_1960_ERRORS = {1: 0.3634, 2: 0.1175, 4: 0.009497}


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_levels_reach_the_published_error(bits):
    sample = np.random.default_rng(1).standard_normal(400_000)
    codes = np.searchsorted(THRESHOLDS[bits], sample, side="right")
    error = np.mean((sample - LEVELS[bits][codes]) ** 2)
    assert error == pytest.approx(MAX_1960_ERRORS[bits], rel=0.01)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_thresholds_lie_midway_between_levels(bits):
    middle = (LEVELS[bits][1:] + LEVELS[bits][:-1]) / 2
    assert np.allclose(middle, THRESHOLDS[bits], atol=1e-3)
    assert len(LEVELS[bits]) == 2**bits


@given(
    st.sampled_from([1, 2, 4]),
    st.lists(st.floats(-1, 1, width=32).filter(lambda x: abs(x) > 1e-6), min_size=1, max_size=40),
)
def test_table_sums_are_the_dot_product_within_half_a_step_each(bits, values):
    query = np.array(values, dtype=np.float32)
    prepared = prepare(query, bits)
    assert isinstance(prepared, TableQuery)
    per_nibble = 4 // bits
    codes = np.random.default_rng(2).integers(0, 2**bits, query.size)
    nibbles = prepared.entries.shape[0]
    padded = np.zeros(nibbles * per_nibble, dtype=int)
    padded[: query.size] = codes
    total = prepared.offset
    for nibble in range(nibbles):
        group = padded[nibble * per_nibble : (nibble + 1) * per_nibble]
        value = sum(int(code) << (place * bits) for place, code in enumerate(group))
        total += int(prepared.entries[nibble, value])
    exact = float(LEVELS[bits][codes].astype(np.float64) @ query.astype(np.float64))
    step = _step(query, bits)
    assert abs(total * step - exact) <= step * (nibbles + 1) / 2 + 1e-9


def _step(query, bits):
    """The step from its definition, over all nibble values."""
    per_nibble = 4 // bits
    spans = []
    for start in range(0, query.size, per_nibble):
        group = query[start : start + per_nibble].astype(np.float64)
        sums = [
            sum(q * level for q, level in zip(group, levels, strict=True))
            for levels in itertools.product(LEVELS[bits].astype(np.float64), repeat=len(group))
        ]
        spans.append(max(sums) - min(sums))
    return max(spans) / 63


def test_entries_use_their_whole_range():
    query = np.random.default_rng(3).standard_normal(64).astype(np.float32)
    prepared = prepare(query, 1)
    assert isinstance(prepared, TableQuery)
    assert prepared.entries.max() == 63
    assert (prepared.entries.min(axis=1) == 0).all()
    assert prepared.entries.shape == (16, 16)


def test_a_query_of_zeros_scores_everything_zero():
    table = prepare(np.zeros(8, dtype=np.float32), 2)
    weights = prepare(np.zeros(8, dtype=np.float32), 8)
    assert isinstance(table, TableQuery)
    assert isinstance(weights, IntQuery)
    assert table.offset == 0
    assert not table.entries.any()
    assert not weights.weights.any()


def test_eight_bit_weights_are_rounded_multiples():
    prepared = prepare(np.array([0.5, -0.25, 0.0, 0.1], dtype=np.float32), 8)
    assert isinstance(prepared, IntQuery)
    assert prepared.weights.tolist() == [127, -64, 0, 25]
