"""The choice of lists: its intervals are a plain bootstrap's, and it is the peak of adding on the
smallest board."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.index.searching.list_choice import measure_shortlist, resamples, upper_ends
from edge_mrl.index.searching.trials import Trial

MIB = 2**20


def trials(count, rows=2000):
    generator = np.random.default_rng(1)
    for own in range(count):
        scores = generator.integers(-1000, 1000, rows)
        nearest = np.sort(generator.permutation(np.delete(np.arange(rows), own))[:10])
        yield Trial(own, nearest, (scores, scores), 1e-3)


def test_choosing_takes_little_memory():
    kept = list(trials(250))
    measure_shortlist(kept, 10_000)
    tracemalloc.start()
    measure_shortlist(kept, 10_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Of these the distances of the nearest rows are 1, twice as they are joined.
    assert peak < 3 * MIB


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.lists(st.floats(0.01, 1), min_size=1))
def test_upper_ends_are_those_of_a_bootstrap_that_sorts_everything(seed, queries, wanted):
    """Values repeat, and some are infinite, as shortfalls without a unit are."""
    generator = np.random.default_rng(seed)
    table = np.sort(generator.integers(0, 30, (queries, 10)), axis=1).astype(float)
    table[generator.random(table.shape) < 0.05] = np.inf
    drawn = resamples(queries)
    needed = []
    for row in drawn.astype(int):
        values = np.sort(np.repeat(table, row, axis=0).ravel())
        needed.append([values[max(0, int(np.ceil(share * values.size)) - 1)] for share in wanted])
    whole = np.sort(table.ravel())
    expected = [
        max(
            np.sort([row[number] for row in needed])[int(np.ceil(0.95 * (len(needed) - 1)))],
            whole[max(0, int(np.ceil(share * whole.size)) - 1)],
        )
        for number, share in enumerate(wanted)
    ]
    assert upper_ends(table, drawn, wanted) == expected


def test_each_draw_holds_as_many_queries_as_there_are():
    drawn = resamples(250)
    assert drawn.sum(axis=1).tolist() == [250] * 1000
    # A query is drawn once on average, with the variance of draws with putting back.
    assert drawn.mean(axis=0) == pytest.approx(1, abs=0.2)
    assert drawn.var() == pytest.approx(1 - 1 / 250, abs=0.02)
