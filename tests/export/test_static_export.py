"""A real export of wordllama's table: what is written, that it is verified, and that it is the same
every time."""

import filecmp
import json

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl.bundle import Bundle
from edge_mrl.cli.main import main
from edge_mrl.errors import ExportError, UntrainedDimError
from edge_mrl_export import ExportOptions, export
from edge_mrl_export import steps as steps_module
from edge_mrl_export.model import BuiltVariant
from edge_mrl_export.sources import wordllama as wordllama_module
from edge_mrl_export.sources.wordllama import WordLlamaSource
from edge_mrl_export.static_table import quantize_rows


def test_every_variant_was_verified_against_the_library_and_passed(export_report):
    assert export_report.reference.startswith("wordllama 0.4")
    names = [variant.name for variant in export_report.variants]
    assert names == ["table-int8-256", "table-int8-128", "table-int8-64", "onnx-int8-portable"]
    for variant in export_report.variants:
        assert variant.passed
        assert min(variant.cosine.values()) >= 0.9999
        assert min(variant.overlap_at_10.values()) >= 0.95


def test_sizes_are_those_of_int8_rows_and_a_scale_each(static_bundle):
    for dim in (64, 128, 256):
        assert (static_bundle / f"table/int8-{dim}.rows.npy").stat().st_size == 128 + 32_000 * dim
        assert (static_bundle / f"table/int8-{dim}.scales.npy").stat().st_size == 128 + 32_000 * 4
    files = (static_bundle / "onnx").iterdir()
    assert sum(file.stat().st_size for file in files) < 32_000 * 260 + 5_000


def test_the_onnx_table_stays_int8_and_the_cut_is_in_the_graph(static_bundle):
    model = onnx.load(static_bundle / "onnx/int8-portable.onnx")
    large = [tensor for tensor in model.graph.initializer if np.prod(tensor.dims) > 10**6]
    assert [tensor.data_type for tensor in large] == [onnx.TensorProto.INT8]
    assert {entry.name for entry in model.graph.input} == {"input_ids", "attention_mask", "dim"}
    assert [entry.name for entry in model.graph.output] == ["sentence_embedding"]


def test_the_same_input_gives_the_same_bytes(static_bundle, tmp_path):
    again = export("wordllama", tmp_path / "again").path
    paths = sorted(
        path.relative_to(static_bundle) for path in static_bundle.rglob("*") if path.is_file()
    )
    assert paths == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    same, different, failed = filecmp.cmpfiles(static_bundle, again, map(str, paths), shallow=False)
    assert (len(same), different, failed) == (len(paths), [], [])


def test_the_quality_table_has_every_slice_and_falls_with_it(export_report):
    rows = {str(row.slice): row for row in export_report.manifest.quality.slices}
    assert set(rows) == {f"{dim}x{bits}" for dim in (64, 128, 256) for bits in (1, 2, 4, 8, 32)}
    assert rows["256x32"].kept == pytest.approx(1, abs=1e-6)
    assert rows["256x8"].kept > 0.99
    assert rows["64x8"].kept < rows["128x8"].kept < rows["256x8"].kept
    assert rows["64x1"].shortlist > rows["256x1"].shortlist > rows["256x8"].shortlist >= 10


def test_without_the_library_its_table_gives_the_same_reference(monkeypatch):
    """As on a machine that no wheel was built for, where only the data files can be had."""
    source = WordLlamaSource.installed(dims=None)
    texts = ["", "one", "The heron waits in the reeds.", "東京 🦆"]
    expected = source.reference(texts)
    monkeypatch.setattr(wordllama_module, "_library", lambda: None)
    np.testing.assert_allclose(source.reference(texts), expected, atol=1e-6)
    assert "cannot be imported" in source.reference_name()


def test_dims_cut_the_model(few_texts, tmp_path):
    options = ExportOptions(dims=(64,), formats=("table",), texts=few_texts)
    manifest = export("wordllama", tmp_path / "b", options).manifest
    assert manifest.embedding.dim == 64
    assert [variant.name for variant in manifest.variants] == ["table-int8-64"]


def test_a_cut_model_is_another_vector_space(export_report):
    assert WordLlamaSource.installed(dims=(64,)).identity != export_report.manifest.model.identity


def test_untrained_sizes_are_refused(tmp_path):
    with pytest.raises(UntrainedDimError, match="64, 128, 256"):
        export("wordllama", tmp_path / "b", ExportOptions(dims=(100,)))


@pytest.mark.parametrize("options", [{"precisions": ("fp32",)}, {"precisions": ("int8-fast",)}])
def test_what_a_table_cannot_be_is_refused_and_nothing_is_left(tmp_path, options):
    with pytest.raises(ExportError, match="static model"):
        export("wordllama", tmp_path / "b", ExportOptions(**options))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"sequence_lengths": (16,)}, "--sequence-lengths: a static table reads texts of any"),
        ({"opset": 19}, "--opset 19: graphs of static tables"),
        ({"licence": ""}, "--licence '' names no licence"),
        ({"licence": " "}, "--licence ' ' names no licence"),
        ({"licence": "MIT\x1b[31m"}, "--licence .* on one line"),
        ({"licence": "MIT\nor so"}, "--licence .* on one line"),
    ],
)
def test_choices_that_would_change_nothing_or_say_nothing_are_refused(tmp_path, choice, words):
    with pytest.raises(ExportError, match=words):
        export("wordllama", tmp_path / "b", ExportOptions(**choice))
    assert list(tmp_path.iterdir()) == []


def test_a_licence_that_is_given_wins():
    assert WordLlamaSource.installed(dims=None).describe().licence == "MIT"
    assert WordLlamaSource.installed(dims=None, licence="CC0-1.0").describe().licence == "CC0-1.0"


@pytest.fixture
def spoiled_table(monkeypatch):
    """Every export's widest table has its rows in the wrong places."""
    real = WordLlamaSource.build

    def spoiled(self, request, folder):
        variants = real(self, request, folder)
        if request.format == "onnx":
            return variants
        (rows_file, _) = variants[0].files
        rows = np.load(folder / rows_file)
        np.save(folder / rows_file, np.ascontiguousarray(np.roll(rows, 1, axis=0)))
        return variants

    monkeypatch.setattr(WordLlamaSource, "build", spoiled)


def test_a_variant_below_its_gate_is_not_written(few_texts, tmp_path, spoiled_table):
    report = export("wordllama", tmp_path / "b", ExportOptions(texts=few_texts))
    verdicts = {variant.name: variant.passed for variant in report.variants}
    assert verdicts == {
        "table-int8-256": False,
        "table-int8-128": True,
        "table-int8-64": True,
        "onnx-int8-portable": True,
    }
    bundle = Bundle.open(tmp_path / "b")
    assert "table-int8-256" not in [variant.name for variant in bundle.manifest.variants]
    assert not (tmp_path / "b" / "table" / "int8-256.rows.npy").exists()
    page = (tmp_path / "b" / "report.html").read_text("utf-8")
    assert report.variants[0].why_refused() in page and "where 0.9999 is needed" in page
    bundle.check_all()


def test_an_allowed_variant_is_written_and_marked(few_texts, tmp_path, spoiled_table, capsys):
    command = ["export", "wordllama", "-o", str(tmp_path / "b"), "--formats", "table", "--allow"]
    assert main([*command, "--texts", str(few_texts)]) == 0
    assert "table-int8-256 is allowed: mean cosine" in capsys.readouterr().out
    bundle = Bundle.open(tmp_path / "b")
    gate = bundle.manifest.variant("table-int8-256").gate
    assert "mean cosine" in gate.missed and "nearest neighbours" in gate.missed
    assert "of a golden text" in gate.missed
    assert bundle.manifest.variant("table-int8-64").gate.missed == ""
    page = (tmp_path / "b" / "report.html").read_text("utf-8")
    assert "allowed" in page and "kept below its gate" in page
    assert main(["inspect", str(tmp_path / "b")]) == 0
    assert f"table-int8-256 was kept below its gate: {gate.missed}" in capsys.readouterr().out


def test_no_variant_left_is_a_failure_that_says_how_far_off(few_texts, tmp_path, monkeypatch):
    real = steps_module.verify_variant

    def strict(folder, variant, checkup, tokens, *, allow):
        stricter = {name: getattr(variant, name) for name in BuiltVariant.__slots__} | {
            "min_cosine": 1.1
        }
        return real(folder, BuiltVariant(**stricter), checkup, tokens, allow=allow)

    monkeypatch.setattr(steps_module, "verify_variant", strict)
    with pytest.raises(ExportError, match=r"no variant passed.*1\.1 is needed"):
        export("wordllama", tmp_path / "b", ExportOptions(formats=("table",), texts=few_texts))
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_names_source_licence_and_tools(export_report):
    manifest = json.loads((export_report.path / "manifest.json").read_text())
    assert manifest["model"]["licence"] == "MIT"
    assert manifest["model"]["source"].startswith("wordllama ")
    assert {"edge-mrl", "python", "numpy", "onnx", "tokenizers"} <= set(manifest["tools"])


@given(st.integers(1, 20), st.integers(1, 40), st.floats(1e-6, 1e6), st.integers(0, 2**32 - 1))
def test_quantised_rows_are_within_half_a_step(rows, dim, size, seed):
    table = (np.random.default_rng(seed).standard_normal((rows, dim)) * size).astype(np.float32)
    codes, scales = quantize_rows(table)
    assert codes.dtype == np.int8
    error = np.abs(codes.astype(np.float64) * scales[:, None] - table)
    assert (error <= scales[:, None].astype(np.float64) * 0.5001).all()


def test_a_row_of_zeros_quantises_to_zeros():
    codes, scales = quantize_rows(np.zeros((2, 4), dtype=np.float16))
    assert not codes.any()
    assert not scales.any()
