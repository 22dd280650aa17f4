"""What the stored precision loses of the float32 top 10, and that lists make up for it."""

from __future__ import annotations

import numpy as np
import pytest

from edge_mrl import Encoder, Index
from edge_mrl.index.searching.funnel import Measurement
from edge_mrl.index.searching.stored_loss import MOST_WANTED, stored_loss, wanted_of_stored
from edge_mrl.slices import Slice, normalize
from edge_mrl_export.pydocs import standard_library_docs

DOCUMENTS, QUERIES = 4500, 600


def outlying(times):
    """Normal vectors of 64 dimensions with one coordinate so many times as large as the others."""
    vectors = np.random.default_rng(0).standard_normal((500, 64)).astype(np.float32)
    vectors[:, 5] *= times
    return normalize(vectors)


def test_the_loss_follows_the_error_of_a_cosine():
    """A cosine's error is measured: products with what rounding takes away."""
    units = outlying(8)
    steps = np.abs(units).max(axis=1, keepdims=True) / 127
    errors = (np.rint(units / steps) * steps - units) @ outlying(1).T
    expected = 12 * float(errors.std(axis=1).mean())
    assert stored_loss(units, Slice(64, 8)) == pytest.approx(expected, rel=0.1)
    assert stored_loss(units, Slice(64, 8)) > 1.5 * stored_loss(outlying(1), Slice(64, 8))
    assert stored_loss(units, Slice(64, 16)) == stored_loss(units, Slice(64, 32)) == 0


def test_lists_make_up_for_the_loss_as_far_as_they_can():
    assert wanted_of_stored(0) == 0.99
    assert wanted_of_stored(0.005) == pytest.approx(0.995)
    assert wanted_of_stored(0.5) == MOST_WANTED < 1


def test_what_is_said_of_float32_holds_on_texts(static_bundle, tmp_path):
    """Beside a brute-force search of the float32 vectors, for queries that are no documents."""
    encoder = Encoder.load(static_bundle)
    texts = [doc.text for doc in standard_library_docs()[: DOCUMENTS + QUERIES]]
    vectors = encoder.encode_document(texts)
    asked = np.linspace(0, len(vectors) - 1, QUERIES).astype(int)
    queries, kept = vectors[asked], np.delete(vectors, asked, axis=0)
    with Index.open(tmp_path / "i.db", encoder) as index:
        index.add(vectors=kept, ids=list(range(len(kept))))
        index.optimize()
        stats = index.stats()
        found = {
            exact: [{hit.id for hit in index.search(query, exact=exact)} for query in queries]
            for exact in (False, True)
        }
    best = [set(row.tolist()) for row in np.argsort(-(queries @ kept.T), axis=1)[:, :10]]

    def recall(answers):
        return float(np.mean([len(a & b) / 10 for a, b in zip(answers, best, strict=True)]))

    loss = stats.measurement.stored_loss
    assert loss / 2 < 1 - recall(found[True]) < 2 * loss
    assert stats.float32_recall == pytest.approx(recall(found[False]), abs=0.005)
    assert recall(found[False]) >= 0.99
    assert stats.float32_recall < stats.expected_recall


def test_a_file_of_an_older_version_does_not_say():
    old = Measurement.from_json(
        '{"shortlist": 7, "recall": 1, "documents": 9, "sampled": 8, "queries": 2}', "here"
    )
    assert old.stored_loss is None
    assert old.float32_recall is None
    assert old._replace(stored_loss=0.01).float32_recall == pytest.approx(0.99)
