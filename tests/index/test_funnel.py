import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.errors import IndexFileError
from edge_mrl.index.funnel import (
    UNMEASURED_SHORTLIST,
    Measurement,
    Trial,
    depths,
    is_due,
    measure_shortlist,
    shortlist_for,
)


def trials_of(seed, count, rows):
    generator = np.random.default_rng(seed)
    for _ in range(count):
        exact = generator.standard_normal(rows).astype(np.float32)
        noisy = exact * 100 + 30 * generator.standard_normal(rows)
        yield Trial(int(generator.integers(rows)), exact, noisy.astype(np.int64))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(1, 12))
def test_depth_is_where_a_full_sort_finds_the_neighbour(seed, rows, k):
    (trial,) = trials_of(seed, 1, rows)
    others = [i for i in range(rows) if i != trial.own]
    nearest = sorted(others, key=lambda i: -trial.exact[i])[:k]
    expected = sorted(sum(trial.scan[other] >= trial.scan[i] for other in others) for i in nearest)
    assert sorted(depths(trial, k).tolist()) == expected


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_the_measured_list_reaches_the_recall_and_no_shorter_one_does(seed, wanted):
    measured = measure_shortlist(trials_of(seed, 20, 200), 200, wanted)

    def recall(length):
        hits = total = 0
        for trial in trials_of(seed, 20, 200):
            hits += int((depths(trial) <= length).sum())
            total += 10
        return hits / total

    assert recall(measured.shortlist) == measured.recall >= wanted
    assert recall(measured.shortlist - 1) < wanted
    assert (measured.documents, measured.sampled, measured.queries) == (200, 200, 20)


def test_a_perfect_scan_needs_ten():
    exact = np.linspace(0, 1, 500).astype(np.float32)
    scan = np.arange(500, dtype=np.int64)
    trials = [Trial(own, exact, scan) for own in (0, 250, 499)]
    assert measure_shortlist(trials, 500).shortlist == 10


@given(st.integers(0, 10**7), st.integers(1, 10**6))
def test_a_shortlist_is_never_too_short_for_k_nor_longer_than_the_index(documents, k):
    for measurement in (None, Measurement(40, 0.99, 5000, 5000, 100)):
        length = shortlist_for(measurement, documents, k)
        assert min(k, documents) <= length <= documents


def test_shortlists_grow_with_k_and_with_the_index():
    measured = Measurement(100, 0.99, 10_000, 10_000, 100)
    assert shortlist_for(measured, 10_000, 10) == 100
    assert shortlist_for(measured, 5_000, 3) == 100
    assert shortlist_for(measured, 10_000, 25) == 250
    assert shortlist_for(measured, 160_000, 10) == 200
    assert shortlist_for(None, 10**6, 10) == UNMEASURED_SHORTLIST


def test_measuring_again_when_the_index_has_doubled():
    measured = Measurement(100, 0.99, 3000, 3000, 100)
    assert not is_due(None, 1999, least=2000)
    assert is_due(None, 2000, least=2000)
    assert not is_due(measured, 5999, least=2000)
    assert is_due(measured, 6000, least=2000)


def test_json_there_and_back():
    measured = Measurement(100, 0.99, 3000, 3000, 100)
    assert Measurement.from_json(measured.to_json(), "here") == measured
    for damaged in ("{", "[]", '{"shortlist": 0}', "[" * 100_000):
        with pytest.raises(IndexFileError, match="here"):
            Measurement.from_json(damaged, "here")
