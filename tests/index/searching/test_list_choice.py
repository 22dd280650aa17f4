"""The choice of lists is the peak of adding on the smallest board."""

import tracemalloc

import numpy as np

from edge_mrl.index.searching.list_choice import measure_shortlist
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
