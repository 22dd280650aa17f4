"""The adapter before training against the singular value decomposition, and what training gains."""

import numpy as np
import pytest
import torch

from edge_mrl.slices import normalize
from edge_mrl_export.adapt.adapter import Adapter
from edge_mrl_export.adapt.held_out import held_out, measure
from edge_mrl_export.adapt.training import train

DIMS = (4, 8, 24)


@pytest.fixture(scope="module")
def vectors():
    """Texts of twelve topics, spread over all coordinates by a random turn."""
    random = np.random.default_rng(0)
    topics = random.normal(size=(12, 24))
    rows = topics[random.integers(12, size=500)] + 0.6 * random.normal(size=(500, 24))
    return normalize(rows.astype(np.float32))


def test_untrained_it_is_the_turn_to_the_principal_axes(vectors):
    turned = Adapter(torch.from_numpy(vectors), 24).apply_to(vectors)
    np.testing.assert_allclose(turned @ turned.T, vectors @ vectors.T, atol=1e-5)
    _, _, axes = np.linalg.svd(vectors.astype(np.float64))
    np.testing.assert_allclose(np.abs(turned), np.abs(vectors @ axes.T), atol=1e-4)


def test_a_narrower_result_keeps_the_first_axes(vectors):
    narrow = Adapter(torch.from_numpy(vectors), 8)
    wide = Adapter(torch.from_numpy(vectors), 24)
    assert narrow.apply_to(vectors).shape == (500, 8)
    np.testing.assert_allclose(
        narrow.apply_to(vectors), normalize(wide.apply_to(vectors)[:, :8]), atol=1e-5
    )


def test_fewer_vectors_than_coordinates_still_give_a_whole_turn(vectors):
    few = vectors[:10]
    turned = Adapter(torch.from_numpy(few), 24).apply_to(vectors)
    np.testing.assert_allclose(turned @ turned.T, vectors @ vectors.T, atol=1e-5)


def test_training_keeps_more_of_unseen_neighbourhoods(vectors):
    apart = held_out(len(vectors), seed=0)
    own = vectors[apart]
    untrained = Adapter(torch.from_numpy(vectors[~apart]), 24)
    trained = train(vectors[~apart], DIMS, epochs=12, seed=0)
    plain, turned, after = (
        measure(own, rows, DIMS).kept
        for rows in (own, untrained.apply_to(own), trained.apply_to(own))
    )
    assert after[4] > turned[4] > plain[4] + 0.05
    assert after[8] > plain[8] + 0.05
    assert after[24] > 0.9


def test_one_seed_gives_one_adapter(vectors):
    first, again, other = (
        train(vectors, DIMS, epochs=2, seed=seed).apply_to(vectors) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_steps_are_counted_to_the_end(vectors):
    seen = []
    train(vectors, DIMS, epochs=3, seed=0, on_step=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
