"""Which texts are held out, and the figures on them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl.errors import ExportError
from edge_mrl.slices import normalize
from edge_mrl_export.adapt.held_out import held_out, measure
from edge_mrl_export.adapt.options import AdaptOptions, default_dims


@given(st.integers(200, 30_000), st.integers(0, 2**32))
def test_a_tenth_is_held_out_within_bounds(count, seed):
    apart = held_out(count, seed)
    assert apart.shape == (count,)
    assert min(1000, max(50, count // 10)) <= apart.sum() <= max(50, min(1000, count // 10 + 1))
    np.testing.assert_array_equal(apart, held_out(count, seed))


def test_figures_against_counting_by_hand():
    random = np.random.default_rng(0)
    own = normalize(random.normal(size=(60, 16)).astype(np.float32))
    figures = measure(own, own, (4, 16))
    assert figures.kept[16] == 1
    shared = 0
    for row in range(60):
        others = [other for other in range(60) if other != row]
        full = sorted(others, key=lambda other: -own[row] @ own[other])[:10]
        cut = [vector[:4] / np.linalg.norm(vector[:4]) for vector in own]
        near = sorted(others, key=lambda other: -cut[row] @ cut[other])[:10]
        shared += len(set(full) & set(near))
    assert figures.kept[4] == pytest.approx(shared / 600)


@pytest.mark.parametrize(
    ("width", "dims"),
    [
        (384, (32, 64, 128, 256, 384)),
        (768, (32, 64, 128, 256, 512, 768)),
        (128, (32, 64, 128)),
        (64, (16, 32, 64)),
        (48, (12, 24, 48)),
        (2, (1, 2)),
    ],
)
def test_the_sizes_where_nobody_names_any(width, dims):
    assert default_dims(width) == dims


@pytest.mark.parametrize("wrong", [{"max_texts": 0}, {"epochs": 0}, {"seed": -1}])
def test_numbers_that_cannot_be_are_refused(wrong):
    flag = "--" + next(iter(wrong)).replace("_", "-")
    with pytest.raises(ExportError, match=f"{flag} must be"):
        AdaptOptions(**wrong)
