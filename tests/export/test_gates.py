"""Each gate by itself: what is missed is said with its number and what was needed."""

import math
from dataclasses import replace

import pytest

from edge_mrl.bundle.manifest import Precision
from edge_mrl_export.gates import MAX_DIFFERENCE, RANK_GATES, Measures, RankGate, missed

GOOD = Measures({64: 0.999, 256: 0.9999}, 0.99, {64: 0.95, 256: 0.97}, 1e-7, 1e-7)
GATE = RankGate(0.9, 0.98, "a reason")


def test_what_reaches_every_gate_misses_none():
    assert missed(GOOD, 0.998, GATE) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cosine": {64: 0.5, 256: 0.9999}}, "mean cosine 0.50000 at 64 dimensions, where 0.998"),
        ({"cosine_min": 0.9}, "cosine 0.90000 of a golden text, where 0.98"),
        ({"overlap_at_10": {64: 0.95, 256: 0.8}}, "80.0 % of the ten nearest neighbours at 256"),
        ({"batch_difference": 0.02}, "changes by 2.0e-02 with its batch, where 1e-05 is allowed"),
        ({"padding_difference": 0.02}, "changes by 2.0e-02 with its padding, where 1e-05"),
        ({"cosine": {64: math.nan}}, "mean cosine nan"),
        ({"cosine_min": math.nan}, "golden text"),
        ({"overlap_at_10": {64: math.nan}}, "nearest neighbours"),
        ({"batch_difference": math.nan}, "with its batch"),
        ({"padding_difference": math.nan}, "with its padding"),
    ],
)
def test_each_gate_is_missed_alone_and_in_numbers(change, words):
    (one,) = missed(replace(GOOD, **change), 0.998, GATE)
    assert words in one


def test_all_gates_can_be_missed_at_once():
    bad = Measures({64: 0.1}, 0.1, {64: 0.1}, 1.0, 1.0)
    assert len(missed(bad, 0.998, GATE)) == 5


def test_every_precision_has_gates():
    from typing import get_args

    assert set(RANK_GATES) == set(get_args(Precision))
    assert all(0 < gate.overlap_at_10 < 1 for gate in RANK_GATES.values())
    assert MAX_DIFFERENCE < 1e-4
