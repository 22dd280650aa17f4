"""Sums of lists, by every kernel, against additions in plain Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.kernel import ScoreList, available

KERNELS = available()
EVERY = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)


def best_by_hand(lists, keep, allowed=None, every=False):
    """Of {row: score} of each list: (rows, sums)."""
    sums, held = {}, {}
    for one in lists:
        for row, score in one.items():
            sums[row] = sums.get(row, 0.0) + float(np.float32(score))
            held[row] = held.get(row, 0) + 1
    found = [
        (-total, row)
        for row, total in sums.items()
        if (allowed is None or allowed[row]) and (not every or held[row] == len(lists))
    ]
    best = sorted(found)[:keep]
    return [row for _, row in best], [-negative for negative, _ in best]


def lists_of(lists):
    return [ScoreList.of(sorted(one), [one[row] for row in sorted(one)]) for one in lists]


# Few scores, for equal sums; and small ones beside large ones, which no float32 would keep.
SCORES = st.sampled_from([0.5, 1.0, 1.5, 1e-6, 3e5])


@EVERY
@given(
    lists=st.lists(st.dictionaries(st.integers(0, 299), SCORES, max_size=60), max_size=5),
    keep=st.integers(1, 40),
    masked=st.booleans(),
    every=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_the_best_sums_are_those_of_plain_additions(kernel, lists, keep, masked, every, seed):
    allowed = np.random.default_rng(seed).random(300) < 0.6 if masked else None
    found = kernel.best_rows(lists_of(lists), 300, keep, allowed, every)
    rows, sums = best_by_hand(lists, keep, allowed, every)
    assert found.rows.tolist() == rows
    assert found.sums.tolist() == sums


@EVERY
@pytest.mark.parametrize("every", [False, True])
def test_rows_of_several_spans(kernel, every):
    generator = np.random.default_rng(3)
    edges = (0, 2047, 2048, 65_535, 65_536, 131_071, 131_072, 139_999)
    lists = []
    for share in (0.9, 0.02, 0.3):
        rows = {*np.flatnonzero(generator.random(140_000) < share).tolist(), *edges}
        lists.append({row: float(generator.integers(1, 50)) / 16 for row in rows})
    lists.append({65_536: 2.0, 131_072: 2.0})
    for keep in (1, 100, 5000):
        found = kernel.best_rows(lists_of(lists), 140_000, keep, None, every)
        rows, sums = best_by_hand(lists, keep, None, every)
        assert found.rows.tolist() == rows
        assert found.sums.tolist() == sums


@EVERY
def test_nothing_in_nothing_found(kernel):
    empty = ScoreList.of([], [])
    for lists, rows in (([], 0), ([], 10), ([empty], 0), ([empty, empty], 5000)):
        for every in (False, True):
            assert kernel.best_rows(lists, rows, 3, None, every).rows.size == 0
    one = ScoreList.of([4], [1.0])
    assert kernel.best_rows([one, empty], 5, 3, None, True).rows.size == 0
    assert kernel.best_rows([one], 5, 3, np.zeros(5, dtype=np.bool_)).rows.size == 0


@pytest.mark.parametrize(
    ("rows", "scores"),
    [
        ([3, 2], [1, 1]),
        ([2, 2], [1, 1]),
        ([-1], [1]),
        ([1], [0]),
        ([1], [np.nan]),
        ([1], [np.inf]),
        ([1, 2], [1]),
        ([[1]], [[1]]),
    ],
)
def test_arrays_that_a_compiled_kernel_could_not_add_up_are_refused(rows, scores):
    with pytest.raises(ValueError):
        ScoreList.of(rows, scores)


@EVERY
def test_rows_that_there_are_not_and_other_masks_are_refused(kernel):
    one = ScoreList.of([7], [1.0])
    with pytest.raises(ValueError, match="row 7 of 7"):
        kernel.best_rows([one], 7, 1)
    for mask in (np.ones(7, dtype=np.bool_), np.ones(8, dtype=np.uint8), np.ones(16, bool)[::2]):
        with pytest.raises(ValueError, match="mask"):
            kernel.best_rows([one], 8, 1, mask)
