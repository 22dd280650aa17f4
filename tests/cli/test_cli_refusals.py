"""What commands refuse, each in one sentence."""

import pytest

from edge_mrl.cli.main import main
from tests.cli.running import fails, run_json


def test_a_missing_bundle(capsys, corpus, tmp_path):
    line = fails(capsys, "build", tmp_path / "x.db", "--bundle", tmp_path / "no", "--input", corpus)
    assert "no bundle" in line
    assert not (tmp_path / "x.db").exists()


def test_a_missing_model_folder(capsys, tmp_path):
    assert "no model folder" in fails(capsys, "export", tmp_path / "no", "-o", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_folder_that_is_no_model(capsys, tmp_path):
    (tmp_path / "m").mkdir()
    assert "modules.json" in fails(capsys, "export", tmp_path / "m", "-o", tmp_path / "b")


def test_an_empty_corpus(capsys, static_bundle, tmp_path):
    (tmp_path / "c").write_text("")
    arguments = ["build", tmp_path / "x.db", "--bundle", static_bundle, "--input", tmp_path / "c"]
    assert "empty" in fails(capsys, *arguments)
    assert not (tmp_path / "x.db").exists()


def test_a_line_that_is_not_json_adds_nothing(capsys, built, tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"_id": "n1", "text": "fine"}\nnot json\n')
    assert "line 2" in fails(capsys, "add", built, "--input", bad)
    assert len(run_json(capsys, "search", built, "fine")["hits"]) == 3


def test_an_unknown_profile_offers_the_nearest(capsys, static_bundle, corpus, tmp_path):
    line = fails(
        capsys,
        *("build", tmp_path / "x.db", "--bundle", static_bundle, "--input", corpus),
        *("--profile", "rasberry-pi-5"),
    )
    assert "raspberry-pi-5" in line


def test_a_truncated_bundle_file(capsys, built, bundle_copy):
    file = bundle_copy / "table" / "int8-256.rows.npy"
    file.write_bytes(file.read_bytes()[:1000])
    line = fails(capsys, "search", built, "x", "--bundle", bundle_copy)
    assert "int8-256.rows.npy has 1000 bytes" in line


def test_another_model_is_refused_by_both_names(capsys, built, few_texts, tmp_path):
    arguments = ["--dims", "64", "--formats", "table", "--texts", str(few_texts)]
    assert main(["export", "wordllama", "-o", str(tmp_path / "b64"), *arguments]) == 0
    line = fails(capsys, "search", built, "x", "--bundle", tmp_path / "b64")
    assert line.count("wordllama-l2-supercat") == 2


def test_an_existing_index_is_not_overwritten_unasked(capsys, built, static_bundle, corpus):
    before = built.read_bytes()
    arguments = ["build", built, "--bundle", static_bundle, "--input", corpus]
    assert "--overwrite" in fails(capsys, *arguments)
    assert built.read_bytes() == before
    assert main([*map(str, arguments), "--overwrite"]) == 0


def test_a_missing_index(capsys, tmp_path):
    assert "no index" in fails(capsys, "search", tmp_path / "none.db", "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("k", ["0", "-1"])
def test_k_must_be_positive(capsys, built, k):
    assert "k must be" in fails(capsys, "search", built, "x", "-k", k)


@pytest.mark.parametrize("dims", ["64,64", "128,64"])
def test_sizes_must_rise(capsys, tmp_path, dims):
    line = fails(capsys, "export", "wordllama", "-o", tmp_path / "b", "--dims", dims)
    assert "must rise, each named once" in line


def test_bad_dims(capsys, tmp_path):
    assert "64,128,256" in fails(
        capsys, "export", "wordllama", "-o", tmp_path / "b", "--dims", "a,b"
    )
