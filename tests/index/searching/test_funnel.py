import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.errors import IndexFileError
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.searching.funnel import (
    UNMEASURED_FIRST_LIST,
    UNMEASURED_REFINED_LIST,
    UNMEASURED_SHORTLIST,
    Measurement,
    is_due,
    shortlists_for,
)
from edge_mrl.index.searching.list_choice import measure_shortlist, needed_depth
from edge_mrl.index.searching.list_growth import grown
from edge_mrl.index.searching.trials import NearestSoFar, Trial, depths
from edge_mrl.slices import Slice


def trial(own, exact, coded):
    """A trial whose nearest are found by a full sort."""
    others = [place for place in range(exact.size) if place != own]
    nearest = sorted(others, key=lambda place: -exact[place])[:10]
    return Trial(own, np.array(nearest), coded)


def trials_of(seed, count, rows):
    generator = np.random.default_rng(seed)
    for _ in range(count):
        exact = generator.standard_normal(rows).astype(np.float32)
        noisy = exact * 100 + 30 * generator.standard_normal(rows)
        yield trial(int(generator.integers(rows)), exact, (noisy.astype(np.int64),))


def trial_of(depth, rows):
    """A trial whose nearest ten stand at these depths, rising and all different."""
    # The document itself is scanned first and not counted, so position p has depth p.
    return Trial(0, depth, (np.arange(rows, 0, -1),))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
def test_depth_is_where_a_full_sort_finds_the_neighbour(seed, rows):
    (one,) = trials_of(seed, 1, rows)
    others = [i for i in range(rows) if i != one.own]
    (scan,) = one.coded
    expected = [sum(scan[other] >= scan[i] for other in others) for i in one.nearest]
    assert depths(one)[0].tolist() == expected


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(1, 12), st.integers(1, 70))
def test_the_nearest_found_part_by_part_are_those_of_a_full_sort(seed, rows, k, step):
    generator = np.random.default_rng(seed)
    # Few values, so that many are equal: the lower position counts.
    cosines = generator.integers(0, 9, (3, rows)).astype(np.float32)
    own = generator.integers(0, rows, 3)
    nearest = NearestSoFar(own, k)
    for start in range(0, rows, step):
        nearest.look_at(cosines[:, start : start + step].copy())
    for number in range(3):
        others = [place for place in range(rows) if place != own[number]]
        expected = sorted(others, key=lambda place: -cosines[number, place])[:k]
        assert nearest.of(number).tolist() == sorted(expected)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_the_measured_list_reaches_the_recall_and_no_shorter_one_does(seed, wanted):
    measured = measure_shortlist(trials_of(seed, 20, 200), 200, wanted)

    def recall(length):
        hits = total = 0
        for one in trials_of(seed, 20, 200):
            hits += int((depths(one) <= length).sum())
            total += 10
        return hits / total

    assert recall(measured.shortlist) == pytest.approx(measured.recall)
    assert measured.recall >= wanted
    assert measured.recall_low <= measured.recall <= measured.recall_high
    table = np.array([depths(one)[0] for one in trials_of(seed, 20, 200)])
    assert recall(needed_depth(table, wanted)) >= wanted > recall(needed_depth(table, wanted) - 1)
    assert (measured.documents, measured.sampled, measured.queries) == (200, 200, 20)


def test_the_interval_equals_scipys():
    stats = pytest.importorskip("scipy.stats")
    measured = measure_shortlist(trials_of(3, 100, 300), 300, 0.9)
    table = np.array([depths(one)[0] for one in trials_of(3, 100, 300)])
    each = (table <= measured.shortlist).mean(axis=1)
    reference = stats.bootstrap(
        (each,), np.mean, n_resamples=10_000, method="percentile", random_state=0
    ).confidence_interval
    assert measured.recall_low == pytest.approx(reference.low, abs=0.002)
    assert measured.recall_high == pytest.approx(reference.high, abs=0.002)


def test_the_shortlist_holds_for_queries_that_were_not_measured():
    """A population whose queries differ in how hard they are, as texts do; its recall is known."""
    generator = np.random.default_rng(0)
    hard = 10 * np.exp(generator.normal(0, 1, (20_000, 1)))
    drawn = np.sort(np.ceil(hard * generator.exponential(1, (20_000, 10))).astype(np.int64))
    # Two neighbours cannot stand at one depth.
    population = np.maximum.accumulate(drawn - np.arange(10), axis=1) + np.arange(10)
    rows = int(population.max()) + 2
    reached = covered = 0
    for _ in range(60):
        drawn = population[generator.integers(0, 20_000, 100)]
        measured = measure_shortlist((trial_of(row, rows) for row in drawn), rows, 0.9)
        truth = (population <= measured.shortlist).mean()
        reached += truth >= 0.9
        covered += measured.recall_low <= truth <= measured.recall_high
        assert measured.shortlist < 3 * needed_depth(population, 0.9)
    # 95 of 100 are promised; without the margin it is about half.
    assert reached >= 52
    assert covered >= 45


def test_a_perfect_scan_needs_ten():
    exact = np.linspace(0, 1, 500).astype(np.float32)
    scan = np.arange(500, dtype=np.int64)
    trials = [trial(own, exact, (scan,)) for own in (0, 250, 499)]
    assert measure_shortlist(trials, 500).shortlist == 10


PLAIN = IndexLayout(Slice(256, 8), Slice(256, 1))
REFINED = IndexLayout(Slice(256, 8), Slice(256, 1), Slice(256, 2))


@given(st.integers(1, 10**7), st.integers(1, 10**6))
def test_a_list_is_never_too_short_for_k_nor_longer_than_the_index(documents, k):
    for measurement in (None, Measurement(40, 0.99, 5000, 5000, 100, first_list=70)):
        for layout in (PLAIN, REFINED):
            lengths = shortlists_for(measurement, layout, documents, k)
            assert len(lengths) == len(layout.resident)
            assert list(lengths) == sorted(lengths, reverse=True)
            assert min(k, documents) <= lengths[-1] <= lengths[0] <= documents


def test_lists_grow_with_k_and_with_the_index():
    measured = Measurement(100, 0.99, 10_000, 10_000, 100, first_list=300)
    assert shortlists_for(measured, PLAIN, 10_000, 10) == (100,)
    assert shortlists_for(measured, PLAIN, 5_000, 3) == (100,)
    assert shortlists_for(measured, PLAIN, 10_000, 25) == (250,)
    (longer,) = shortlists_for(measured, PLAIN, 160_000, 10)
    assert longer == math.ceil(grown(100, 10_000, 160_000, 10)) > 100
    assert shortlists_for(measured, REFINED, 10_000, 10) == (300, 100)
    first = math.ceil(grown(300, 10_000, 160_000, 10))
    assert shortlists_for(measured, REFINED, 160_000, 10) == (first, longer)
    assert shortlists_for(None, PLAIN, 10**6, 10) == (UNMEASURED_SHORTLIST,)
    assert shortlists_for(None, REFINED, 10**6, 10) == (
        UNMEASURED_FIRST_LIST,
        UNMEASURED_REFINED_LIST,
    )


def test_two_lists_together_reach_the_recall():
    """Each list may miss half of what may be missed, on neighbours of its own."""
    generator = np.random.default_rng(2)
    trials = []
    for _ in range(60):
        exact = generator.standard_normal(400).astype(np.float32)
        coarse, fine = (
            (exact * 100 + noise * generator.standard_normal(400)).astype(np.int64)
            for noise in (60, 15)
        )
        trials.append(trial(int(generator.integers(400)), exact, (coarse, fine)))
    measured = measure_shortlist(trials, 400, 0.95)
    assert measured.shortlist < measured.first_list < 400
    held = np.mean(
        [
            np.mean((a <= measured.first_list) & (b <= measured.shortlist))
            for a, b in map(depths, trials)
        ]
    )
    assert measured.recall == pytest.approx(held)
    assert 0.95 <= measured.recall_low <= held <= measured.recall_high


def test_measuring_again_when_the_index_has_doubled():
    measured = Measurement(100, 0.99, 3000, 3000, 100)
    assert not is_due(None, 1999, least=2000)
    assert is_due(None, 2000, least=2000)
    assert not is_due(measured, 5999, least=2000)
    assert is_due(measured, 6000, least=2000)


def test_json_there_and_back():
    measured = Measurement(100, 0.99, 3000, 3000, 100)
    assert Measurement.from_json(measured.to_json(), "here") == measured
    measured = measure_shortlist(trials_of(1, 20, 50), 50)
    assert Measurement.from_json(measured.to_json(), "here") == measured
    plain = '{"shortlist": 7, "recall": 1, "documents": 9, "sampled": 8, "queries": 2}'
    assert Measurement.from_json(plain, "here") == Measurement(7, 1.0, 9, 8, 2)
    for damaged in ("{", "[]", '{"shortlist": 0}', "[" * 100_000):
        with pytest.raises(IndexFileError, match="here"):
            Measurement.from_json(damaged, "here")


def test_a_document_is_no_rival_of_its_own_equals():
    """Rows of equal codes: the query's own is not counted among those before a neighbour."""
    trial = Trial(0, np.array([1, 2]), (np.array([5, 5, 5, 7]), np.array([9, 5, 4, 1])))
    assert depths(trial).tolist() == [[3, 3], [1, 2]]


def test_lists_hold_k_and_never_rise_whatever_was_measured():
    scan = IndexLayout(Slice(64, 8), Slice(64, 1))
    refined = IndexLayout(Slice(64, 8), Slice(64, 1), Slice(64, 8))
    short = Measurement(1, 1.0, 100, 100, 10, first_list=2)
    assert shortlists_for(short, scan, 100, 10) == (10,)
    assert shortlists_for(short, refined, 100, 10) == (10, 10)
    assert shortlists_for(short, scan, 5, 10) == (5,)
    # The finer codes need more than the scan was measured to hand on.
    crossed = Measurement(60, 1.0, 100, 100, 10, first_list=20)
    assert shortlists_for(crossed, refined, 100, 10) == (60, 60)
