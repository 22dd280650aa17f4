"""The measures against scikit-learn and against counting by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from edge_mrl.slices import normalize
from edge_mrl_export.quality import COVERAGE, measure_quality, one_answer, shortlist_for


def unit(rows, dim, seed):
    return normalize(np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32))


def test_ndcg_equals_scikit_learn_s():
    documents = unit(300, 64, 1)
    answers = np.arange(0, 300, 5)
    queries = normalize(documents[answers] + unit(60, 64, 2))
    quality = measure_quality(queries, documents, one_answer(answers), (16, 64), "noise")
    gains = np.zeros((60, 300))
    gains[np.arange(60), answers] = 1
    for row in quality.slices:
        if row.slice.bits == 32:
            cut = row.slice.dim
            scores = normalize(queries[:, :cut]) @ normalize(documents[:, :cut]).T
            assert row.ndcg_at_10 == pytest.approx(ndcg_score(gains, scores, k=10), abs=1e-3)
    assert 0 < quality.full_ndcg_at_10 <= 1


@given(st.integers(10, 60), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_shortlist_covers_what_it_says_and_no_shorter_one_does(documents, queries, seed):
    random = np.random.default_rng(seed)
    wanted = random.standard_normal((queries, documents)).astype(np.float32)
    scores = (wanted + random.standard_normal(wanted.shape)).astype(np.float32)
    top = np.argsort(-wanted, axis=1)[:, :10]
    length = shortlist_for(scores, top)

    def covered(keep):
        kept = np.argsort(-scores, axis=1)[:, :keep]
        return np.mean([len(set(a) & set(b)) / 10 for a, b in zip(kept, top, strict=True)])

    assert covered(length) >= COVERAGE
    assert length == 10 or covered(length - 1) < COVERAGE


def test_ties_are_counted_against_the_shortlist():
    top = np.arange(10)[None, :]
    assert shortlist_for(np.zeros((1, 50), dtype=np.float32), top) == 50


def test_a_perfect_scan_needs_only_the_top():
    documents = unit(100, 32, 3)
    quality = measure_quality(documents[:20], documents, one_answer(range(20)), (32,), "itself")
    exact = next(row for row in quality.slices if row.slice.bits == 32)
    assert (exact.shortlist, exact.kept) == (10, 1.0)
    assert 0 <= quality.shortlist_growth <= 1
