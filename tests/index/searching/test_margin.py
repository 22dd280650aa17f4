import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl import Index, kernel
from edge_mrl.index.format.codes import encode
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segments import build
from edge_mrl.index.format.stages import stage_list
from edge_mrl.index.format.vector_rows import Vectors
from edge_mrl.index.searching.funnel import Measurement
from edge_mrl.index.searching.list_choice import measure_shortlist
from edge_mrl.index.searching.margin import within
from edge_mrl.index.searching.scan_list import last_full_score
from edge_mrl.index.searching.trials import Trial, shortfalls_and_spread
from edge_mrl.slices import Slice, normalize

SCORES = st.lists(st.integers(-50, 50), min_size=2, max_size=40)


@given(SCORES, st.integers(1, 45), st.floats(0, 60))
def test_within_counts_what_a_loop_counts(values, rank, width):
    falling = sorted(values, reverse=True)
    expected = len(falling)
    if len(falling) > rank:
        expected = sum(value >= falling[rank - 1] - width for value in falling)
    assert within(np.array(falling, dtype=np.int64), rank, width) == expected


@given(SCORES, st.data())
def test_distances_are_what_a_full_sort_gives(values, data):
    own = data.draw(st.integers(0, len(values) - 1))
    rank = data.draw(st.integers(1, len(values) - 1))
    falling = sorted(values[:own] + values[own + 1 :], reverse=True)
    begin = falling[rank - 1]
    nearest = data.draw(st.permutations(range(len(values))))[:rank]
    trial = Trial(own, np.array(nearest), (np.array(values, dtype=np.int64),), 0.5)
    short, spread = shortfalls_and_spread(trial)
    assert short.tolist() == [max(0, begin - values[place]) / 2 for place in nearest]
    assert spread.tolist() == [(begin - value) / 2 for value in falling]
    without = [part.tolist() for part in shortfalls_and_spread(trial._replace(unit=None))]
    assert without == [[np.inf] * rank, [np.inf] * (len(values) - 1)]


@pytest.mark.parametrize(
    ("scan", "refine", "off"),
    [
        ("96x1", None, 0.25),
        ("96x2", None, 0.12),
        ("96x8", None, 0.02),
        ("32x1", "96x2", 0.12),
        ("96x1", "96x4", 0.04),
        ("96x1", "96x8", 0.02),
        ("32x1", "64x4", 0.04),
    ],
)
def test_the_unit_turns_scores_into_cosines(scan, refine, off):
    """Cosines of the prefix in float64 are what is estimated; `off` is the largest error."""
    generator = np.random.default_rng(0)
    vectors = normalize(generator.standard_normal((300, 96)).astype(np.float32))
    query = vectors[7] + generator.standard_normal(96).astype(np.float32) / 30
    query /= np.linalg.norm(query)
    layout = IndexLayout(
        Slice(96, 8), Slice.parse(scan), None if refine is None else Slice.parse(refine)
    )
    stored = Vectors(np.arange(1, 301), encode(vectors, layout.stored), layout.stored)
    stages = stage_list(layout, [build(1, 300, stored, layout)])
    found = kernel.search(query, stages, [300] * len(layout.resident))
    dim = layout.resident[-1].dim
    cut = vectors[found.positions, :dim].astype(np.float64)
    short = query[:dim].astype(np.float64)
    true = cut @ short / np.linalg.norm(cut, axis=1) / np.linalg.norm(short)
    whole = last_full_score(found.factor, query, layout)
    assert np.abs(found.scores / whole - true).max() < off


def test_the_measured_margin_holds_the_wanted_share():
    generator = np.random.default_rng(1)
    trials = []
    for _ in range(50):
        exact = generator.standard_normal(400).astype(np.float32)
        coded = (exact * 100 + 20 * generator.standard_normal(400)).astype(np.int64)
        own = int(generator.integers(400))
        others = np.delete(np.arange(400), own)
        nearest = others[np.argsort(-exact[others])[:10]]
        trials.append(Trial(own, nearest, (coded,), unit=0.01))
    measured = measure_shortlist(trials, 400, 0.95)
    found = total = 0
    for trial in trials:
        others, best = np.delete(np.arange(400), trial.own), trial.nearest
        scores = 0.01 * trial.coded[-1]
        order = others[np.argsort(-scores[others], kind="stable")]
        near = order[: measured.shortlist]
        read = near[scores[near] >= scores[order[9]] - measured.margin - 1e-12]
        found += np.isin(best, read).sum()
        total += 10
        least = max(0, (scores[order[9]] - scores[best]).max())
        assert shortfalls_and_spread(trial)[0].max() == pytest.approx(least)
    assert found / total >= 0.95
    assert measured.recall == pytest.approx(found / total, abs=0.004)


def test_a_file_without_a_margin_reads_its_whole_list():
    plain = '{"shortlist": 7, "recall": 1, "documents": 9, "sampled": 8, "queries": 2}'
    assert Measurement.from_json(plain, "here").margin is None


def test_searches_read_fewer_rows_than_the_list_and_find_the_same(tmp_path, monkeypatch):
    generator = np.random.default_rng(2)
    centres = generator.standard_normal((60, 256))
    vectors = centres[generator.integers(0, 60, 4000)] + generator.standard_normal((4000, 256))
    vectors = normalize((vectors * np.geomspace(3, 0.2, 256)).astype(np.float32))
    queries = vectors[:40] + 0.02 * generator.standard_normal((40, 256)).astype(np.float32)
    best = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    path = tmp_path / "index.db"
    with Index.create(path, dim=256, matryoshka_dims=[256], identity="test") as index:
        index.add(vectors=vectors)
        index.optimize()
        listed = index.stats().shortlists[-1]
        assert index.stats().measurement.margin > 0
    read = []
    found = 0
    with (
        Index.open(path, row_cache=0) as index,
        Index.open(path, memory_budget=0) as streamed,
    ):
        records_of = index._store.records
        monkeypatch.setattr(
            index._store,
            "records",
            lambda rows: read.append(len(rows)) or records_of(rows),
        )
        for query, true in zip(queries, best, strict=True):
            hits = index.search(query)
            assert hits == streamed.search(query)
            assert hits == index.search_many([query])[0]
            found += len({hit.id - 1 for hit in hits} & set(true.tolist()))
        assert index.stats().rows_reread == np.mean(read)
    assert np.mean(read) < 0.95 * listed
    assert found >= 390
