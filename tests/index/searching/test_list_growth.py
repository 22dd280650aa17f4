"""The growth of lists, against figures that were measured on texts and an integral of the law."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl.index.searching.list_growth import EXPONENT, grown

SIZES = 2000, 16_384, 100_000
# Rows that hold 99 % of the float32 top 10 of 500 package summaries or of 250 of the documents,
# by brute force at each size.
MEASURED = {
    "wordllama 64x1": (803, 4136, 10_110),
    "wordllama 128x1": (379, 979, 1501),
    "wordllama 256x1": (115, 141, 168),
    "wordllama 256x2": (29, 29, 33),
    "MiniLM 32x1": (925, 5025, 16_874),
    "MiniLM 32x4": (341, 977, 2027),
    "MiniLM 64x1": (527, 1652, 3960),
    "MiniLM 128x1": (227, 435, 604),
    "MiniLM 384x1": (53, 71, 79),
    "documents, wordllama 64x1": (795, 3294, 9261),
    "documents, wordllama 256x1": (127, 186, 209),
    "documents, MiniLM 32x1": (1098, 5391, 25_335),
    "documents, MiniLM 64x1": (629, 1975, 6004),
    "documents, MiniLM 384x1": (62, 73, 75),
}


@pytest.mark.parametrize("rows", MEASURED.values(), ids=MEASURED.keys())
def test_lists_measured_on_texts(rows):
    """A share of 0.99 of 2500 or 5000 neighbours is known to a third of what is missed."""
    for place, bound in ((0, 2.0), (1, 1.5)):
        found = grown(rows[place], SIZES[place], SIZES[-1], 10)
        assert rows[-1] / bound <= found <= bound * rows[-1]


def test_the_law_integrated_step_by_step():
    rows, documents = 3000.0, 16_384.0
    steps = 100_000
    excess, among = rows - 10, documents - 10
    end = 10**6 - 10
    factor = (end / among) ** (1 / steps)
    for _ in range(steps):
        excess *= math.exp((excess / among) ** EXPONENT * math.log(factor))
        among *= factor
    assert grown(rows, int(documents), 10**6, 10) == pytest.approx(10 + excess, rel=1e-3)


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


COUNTS = st.integers(11, 10**12)


@given(rows=st.floats(11, 10**6), sampled=COUNTS, documents=COUNTS, more=st.integers(0, 10**12))
def test_a_list_grows_with_the_documents_and_at_most_in_proportion(rows, sampled, documents, more):
    rows = min(rows, sampled)
    first = grown(rows, sampled, documents, 10)
    second = grown(rows, sampled, documents + more, 10)
    assert first <= second * (1 + 1e-9)
    assert second <= documents + more
    if documents >= sampled:
        assert min(rows, sampled) <= first * (1 + 1e-9)
        among = max(1, sampled - 10)
        assert first - 10 <= max(0, rows - 10) * (documents - 10) / among * (1 + 1e-9)


@given(rows=st.floats(11, 10**5), sampled=COUNTS, between=COUNTS, documents=COUNTS)
def test_many_steps_lead_where_one_does(rows, sampled, between, documents):
    rows = min(rows, sampled)
    whole = grown(rows, sampled, documents, 10)
    half = grown(grown(rows, sampled, between, 10), between, documents, 10)
    # Within rounding, where a list is nearly all rows or nearly none but the ten.
    assert half == pytest.approx(whole, rel=1e-3, abs=1)


def test_what_needs_all_rows_needs_all_of_more():
    assert grown(5000, 5000, 20_000, 10) == 20_000
    assert grown(9, 5000, 20_000, 10) == 9
    assert grown(700, 5000, 5000, 10) == 700
    assert 100 < grown(700, 5000, 500, 10) < 500
    assert grown(700, 5000, 5, 10) == 5
