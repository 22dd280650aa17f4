"""The front-loading test on vectors whose answer is known, and its figures against counting by
hand."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.neighbors import NearestNeighbors

from edge_mrl.errors import ExportError
from edge_mrl.slices import normalize
from edge_mrl_export import ExportOptions, export
from edge_mrl_export import pipeline as pipeline_module
from edge_mrl_export.front_loading import MAX_TEXTS, depths_for, measure_front_loading
from edge_mrl_export.sample import default_sample
from edge_mrl_export.sources.wordllama import WordLlamaSource

DIM = 64
SIZES = (16, 32, 64)


def falling(rows=300, seed=1):
    """Unit vectors whose energy falls by half every 16 coordinates."""
    noise = np.random.default_rng(seed).standard_normal((rows, DIM))
    return normalize((noise * 2.0 ** (-np.arange(DIM) / 32)).astype(np.float32))


def turned(vectors, seed=2):
    """The same angles between the vectors, with the energy spread over all coordinates."""
    return (vectors @ ortho_group.rvs(DIM, random_state=seed)).astype(np.float32)


def shuffled(source, seed):
    columns = np.random.default_rng(seed).permutation(source.table.shape[1])
    return dataclasses.replace(source, table=np.ascontiguousarray(source.table[:, columns]))


@pytest.fixture(scope="module")
def wordllama():
    return WordLlamaSource.installed(dims=None)


@pytest.fixture(scope="module")
def texts():
    return default_sample().documents[:MAX_TEXTS]


def test_falling_energy_is_front_loaded_and_the_same_turned_is_not():
    vectors = falling()
    assert measure_front_loading(vectors, SIZES).verdict == "front-loaded"
    for seed in range(8):
        outcome = measure_front_loading(turned(vectors, seed), SIZES)
        assert outcome.verdict == "not front-loaded"


def test_the_best_coordinates_last_is_not_front_loaded():
    outcome = measure_front_loading(np.ascontiguousarray(falling()[:, ::-1]), SIZES)
    assert outcome.verdict == "not front-loaded"
    assert all(depth.gain < -0.04 for depth in outcome.depths)


def test_a_turn_to_the_principal_axes_passes_as_documented():
    vectors = turned(falling())
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    assert measure_front_loading(vectors, SIZES).verdict == "not front-loaded"
    principal = (vectors @ axes[:, ::-1]).astype(np.float32)
    assert measure_front_loading(principal, SIZES).verdict == "front-loaded"


def test_the_share_of_the_prefix_equals_scikit_learn_s_neighbours():
    vectors = falling(120)

    def nearest(rows):
        found = NearestNeighbors(n_neighbors=10, metric="cosine").fit(rows)
        return [set(row) for row in found.kneighbors(return_distance=False)]

    full = nearest(vectors)
    for depth in measure_front_loading(vectors, SIZES).depths:
        kept = [
            len(a & b) / 10 for a, b in zip(nearest(vectors[:, : depth.dim]), full, strict=True)
        ]
        assert depth.prefix == pytest.approx(np.mean(kept))


def test_random_choices_are_centred_where_every_coordinate_is_worth_the_same():
    noise = np.random.default_rng(5).standard_normal((300, DIM)).astype(np.float32)
    for depth in measure_front_loading(normalize(noise), SIZES).depths:
        assert abs(depth.gain) < 0.1
        assert 0.001 < depth.spread < 0.05


def test_gain_and_z_are_what_they_are_called():
    for depth in measure_front_loading(falling(), SIZES).depths:
        assert depth.random * (1 + depth.gain) == pytest.approx(depth.prefix)
        assert depth.random + depth.z * depth.spread == pytest.approx(depth.prefix)


def test_the_line_says_more_or_fewer_and_what_was_needed():
    good = measure_front_loading(falling(), SIZES).in_words()
    assert good.startswith("front-loaded: ")
    assert "% more (z = " in good
    assert "needed" not in good
    bad = measure_front_loading(np.ascontiguousarray(falling()[:, ::-1]), SIZES).in_words()
    assert bad.startswith("not front-loaded: ")
    assert "% fewer (z = -" in bad
    assert bad.endswith("4 % more and z = 3 are needed at each")


def test_the_same_vectors_give_the_same_figures():
    assert measure_front_loading(falling(), SIZES) == measure_front_loading(falling(), SIZES)


def test_vectors_that_are_all_one_are_not_front_loaded():
    one = normalize(np.ones((60, DIM), dtype=np.float32))
    outcome = measure_front_loading(one, SIZES)
    assert outcome.verdict == "not front-loaded"
    assert [depth.gain for depth in outcome.depths] == [0, 0]


@pytest.mark.parametrize("bad", [0, np.nan, np.inf])
def test_vectors_without_direction_are_left_out(bad):
    vectors = falling(100)
    vectors[::2] = bad
    assert measure_front_loading(vectors, SIZES) == measure_front_loading(vectors[1::2], SIZES)
    assert measure_front_loading(vectors[1:], SIZES).texts == 50
    few = measure_front_loading(vectors[2:], SIZES)
    assert (few.texts, few.verdict, few.refused) == (49, "too few texts", True)
    assert "50 different texts" in few.in_words()


def test_one_size_takes_no_prefix_and_has_nothing_to_show():
    outcome = measure_front_loading(turned(falling()), (DIM,))
    assert (outcome.verdict, outcome.refused, outcome.depths) == ("one size", False, ())
    assert "no prefix" in outcome.in_words()


@pytest.mark.parametrize(
    ("dims", "width", "depths"),
    [
        ((64, 128, 256), 256, (64, 128)),
        ((96, 192, 384), 384, (96, 192)),
        ((32, 64, 128, 256, 384), 384, (64, 128)),
        ((64, 128), 128, (64,)),
        ((512, 768), 768, (512,)),
        ((96, 192), 384, (96, 192)),
        ((64,), 64, ()),
    ],
)
def test_depths_are_trained_sizes_near_a_quarter_and_a_half(dims, width, depths):
    assert depths_for(dims, width) == depths


def test_wordllama_passes(export_report):
    outcome = export_report.front_loading
    assert (outcome.texts, outcome.dim, outcome.verdict) == (200, 256, "front-loaded")
    assert [depth.dim for depth in outcome.depths] == [64, 128]
    assert all(depth.gain > 0.06 for depth in outcome.depths)


@pytest.mark.parametrize("seed", range(4))
def test_wordllama_with_shuffled_columns_fails(wordllama, texts, seed):
    outcome = measure_front_loading(shuffled(wordllama, seed).reference(texts), (64, 128, 256))
    assert outcome.verdict == "not front-loaded"


@pytest.fixture
def spoiled(monkeypatch, wordllama):
    """Every export takes the table with its columns shuffled."""
    monkeypatch.setattr(pipeline_module, "open_source", lambda *_: shuffled(wordllama, 0))


def test_an_export_warns(spoiled, tmp_path):
    steps = []
    options = ExportOptions(formats=("table",))
    report = export("wordllama", tmp_path / "b", options, on_step=steps.append)
    assert report.front_loading.verdict == "not front-loaded"
    assert [step for step in steps if step.startswith("warning: not front-loaded")]
    assert (tmp_path / "b" / "manifest.json").is_file()


def test_a_strict_export_refuses_and_leaves_nothing(spoiled, tmp_path):
    options = ExportOptions(formats=("table",), strict=True)
    with pytest.raises(ExportError, match="--strict: not front-loaded"):
        export("wordllama", tmp_path / "b", options)
    assert list(tmp_path.iterdir()) == []


def test_a_strict_export_takes_a_model_that_passes_and_does_not_warn(tmp_path):
    steps = []
    options = ExportOptions(formats=("table",), strict=True)
    report = export("wordllama", tmp_path / "b", options, on_step=steps.append)
    assert report.front_loading.verdict == "front-loaded"
    assert not [step for step in steps if "warning" in step]


def test_a_strict_export_refuses_what_too_few_texts_cannot_show(tmp_path):
    file = tmp_path / "texts.txt"
    rest = "It goes on for long enough to be worth finding again."
    file.write_text(
        "".join(f"The first sentence is short. {rest} Number {n}.\n" for n in range(30))
    )
    options = ExportOptions(formats=("table",), texts=file, strict=True)
    with pytest.raises(ExportError, match="50 different texts with a vector, and there are 30"):
        export("wordllama", tmp_path / "b", options)
    assert [path.name for path in tmp_path.iterdir()] == ["texts.txt"]
