"""The growth of lists, against simulated scores and figures that were measured on texts."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl.index.searching.list_growth import grown

SAMPLED, ALL = 16_384, 98_304


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # wordllama: 64x1, 64x2, 128x1, 256x1, 256x2
        *((3508, 9022), (1682, 2935), (1103, 1993), (201, 250), (37, 37)),
        # MiniLM with a Matryoshka head: 32x1, 32x4
        *((5154, 24_982), (1262, 4220)),
    ],
)
def test_lists_measured_on_texts(before, after):
    """A share of 0.99 of 2500 neighbours is known to a third of what is missed."""
    assert after / 1.6 <= grown(before, SAMPLED, ALL, 10) <= after * 1.6


def test_the_law_of_normal_scores_with_a_shift():
    normal = NormalDist()

    def rows(shift, documents):
        best = normal.inv_cdf(1 - 10 / documents)
        return documents * (1 - normal.cdf(best - shift))

    for shift in (0.1, 0.7, 1.5, 2.5):
        for documents in (20_000, 10**6, 10**8):
            found = grown(rows(shift, SAMPLED), SAMPLED, documents, 10)
            assert found == pytest.approx(rows(shift, documents), rel=1e-4)


def test_noisy_scores_that_were_drawn():
    """The 10th best of all, by scores with noise: where it stands among few and among many."""
    generator = np.random.default_rng(0)

    def depth(documents):
        stands = []
        for _ in range(60):
            true = generator.standard_normal(documents)
            seen = true + 0.5 * generator.standard_normal(documents)
            best = np.argpartition(-true, 10)[:10]
            stands += [np.count_nonzero(seen >= seen[row]) for row in best]
        return np.quantile(stands, 0.9)

    few, many = depth(4000), depth(64_000)
    assert many / 1.6 <= grown(few, 4000, 64_000, 10) <= 1.6 * many


@given(
    rows=st.floats(1, 10**6),
    sampled=st.integers(1, 10**6),
    documents=st.integers(1, 2**62),
    more=st.integers(0, 2**62),
)
def test_a_list_never_shrinks_and_grows_at_most_in_proportion(rows, sampled, documents, more):
    first = grown(rows, sampled, documents, 10)
    second = grown(rows, sampled, documents + more, 10)
    assert rows <= first <= second * (1 + 1e-9)
    assert first <= rows * max(1, documents / sampled) * (1 + 1e-9)


def test_what_needs_all_rows_needs_all_of_more():
    assert grown(5000, 5000, 20_000, 10) == 20_000
    assert grown(9, 5000, 20_000, 10) == 9
    assert grown(700, 5000, 4000, 10) == 700
