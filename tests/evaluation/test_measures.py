"""The measures against scikit-learn's and against formulas written out."""

import math

import numpy as np
import pytest

from edge_mrl_export.evaluation.measures import rank_documents, retrieval, similarity

pytest.importorskip("ir_measures", reason="the extra `eval` is not installed here")


def test_documents_are_ranked_by_inner_product_and_equals_by_place():
    queries = np.array([[1, 0], [0, 1]], dtype=np.float32)
    documents = np.array([[0, 1], [1, 0], [1, 0], [0.5, 0.5]], dtype=np.float32)
    assert rank_documents(queries, documents).tolist() == [[1, 2, 3, 0], [0, 3, 1, 2]]


def test_many_documents_are_cut_at_a_hundred():
    rng = np.random.default_rng(0)
    queries, documents = (rng.normal(size=(n, 8)).astype(np.float32) for n in (130, 300))
    ranked = rank_documents(queries, documents)
    assert ranked.shape == (130, 100)
    expected = np.argsort(-(queries @ documents.T), axis=1)[:, :100]
    assert (ranked == expected).mean() > 0.999


def test_ndcg_and_recall_equal_scikit_learn_and_the_definition():
    from sklearn.metrics import ndcg_score

    rng = np.random.default_rng(1)
    scores = rng.normal(size=(40, 150)).astype(np.float32)
    grades = (rng.random((40, 150)) < 0.05).astype(int)
    grades[:, 0] = 1
    ranked = np.argsort(-scores, axis=1)[:, :100]
    judgements = [{int(d): int(g) for d, g in enumerate(row) if g} for row in grades]
    found = retrieval(ranked, judgements)
    assert found["ndcg@10"].value == pytest.approx(ndcg_score(grades, scores, k=10), abs=1e-6)
    hit = [grades[q, row].sum() / grades[q].sum() for q, row in enumerate(ranked)]
    assert found["recall@100"].value == pytest.approx(np.mean(hit))
    for measured in found.values():
        assert measured.low < measured.value < measured.high


def test_the_interval_is_about_two_standard_errors():
    rng = np.random.default_rng(2)
    ranked = np.array([rng.permutation(30) for _ in range(400)])
    found = retrieval(ranked, [{0: 1}] * 400)["ndcg@10"]
    places = np.argmax(ranked == 0, axis=1)
    values = np.where(places < 10, 1 / np.log2(places + 2), 0)
    assert found.value == pytest.approx(values.mean())
    error = values.std() / math.sqrt(400)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.12)


def test_a_single_query_has_no_width():
    found = retrieval(np.array([[1, 0]]), [{0: 1}])["ndcg@10"]
    assert (found.low, found.value, found.high) == (
        found.value,
        pytest.approx(1 / math.log2(3)),
        found.value,
    )


def test_spearman_equals_scipy_on_cosines():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(3)
    first, second = (rng.normal(size=(200, 5)).astype(np.float32) for _ in range(2))
    cosines = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(first, second, strict=True)
    ]
    scores = np.round(np.array(cosines) + rng.normal(size=200) * 0.3, 1).tolist()
    found = similarity(first, second, scores)["spearman"]
    assert found.value == pytest.approx(spearmanr(cosines, scores).statistic, abs=1e-6)
    assert found.low < found.value < found.high
