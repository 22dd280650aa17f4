"""`edge-mrl adapt` on a small model: stock sentence-transformers reads what it writes, `export`
takes it."""

import json

import numpy as np
import pytest

from edge_mrl import Encoder
from edge_mrl.cli.main import main
from edge_mrl.slices import prefix
from edge_mrl_export import ExportOptions, export
from edge_mrl_export.sample import default_sample
from edge_mrl_export.sources.modules_json import read_layout
from edge_mrl_export.sources.oracle import Oracle
from tests.export.st_models import HIDDEN, TEXTS, Module, write_bert, write_modules

COUNT = 400


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "texts.txt"
    lines = [f"{' '.join(text.split())}"[:120] for text in default_sample().documents[:COUNT]]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A model of layout 5 that records no sizes and does not normalise its vectors."""
    folder = tmp_path_factory.mktemp("plain") / "small"
    write_bert(folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    return write_modules(folder, 5, (), dims=None)


def run(capsys, *arguments):
    assert main(["adapt", *map(str, arguments), "--json"]) == 0
    captured = capsys.readouterr()
    return json.loads(captured.out), captured.err


def test_small_sizes_gain_on_held_out_texts(plain, texts, tmp_path, capsys):
    out = tmp_path / "adapted"
    report, progress = run(capsys, plain, "--texts", texts, "-o", out)
    assert report["matryoshka_dims"] == [8, 16, HIDDEN]
    before, after = (report[when]["neighbours_kept"] for when in ("before", "after"))
    assert after["8"] > before["8"] + 0.05
    assert after["16"] > before["16"]
    assert report["before"]["front_loading"]["verdict"] == "not front-loaded"
    assert report["after"]["front_loading"]["verdict"] == "front-loaded"
    assert report["texts"]["held_out"] == 50
    assert "embedding" in progress and "training" in progress
    steps = [line.partition("] ")[2] for line in progress.splitlines() if line.startswith("[")]
    assert [step.split()[0] for step in steps] == (
        ["reading", "vectors", "training", "comparing", "writing"]
    )
    assert [path.name for path in tmp_path.iterdir()] == ["adapted"]


@pytest.mark.parametrize(("style", "tail"), [(5, ()), (6, (Module("Normalize"),))])
def test_sentence_transformers_and_export_take_the_folder(texts, tmp_path, capsys, style, tail):
    from safetensors.numpy import load_file
    from scipy.special import ndtr

    write_bert(tmp_path / "small")
    folder = write_modules(tmp_path / "small", style, tail, dims=None)
    out = tmp_path / "adapted"
    run(capsys, folder, "--texts", texts, "-o", out, "--dims", "4,24", "--epochs", 2)
    layout = read_layout(out)
    assert layout.dim == 24
    # What the written weights say, by numpy and scipy: x Phi(x) is GELU.
    inner, outer = (load_file(path) for path in sorted(out.glob("*_Dense/model.safetensors")))
    own = Oracle(folder, read_layout(folder)).embed(TEXTS)
    hidden = own @ inner["linear.weight"].T + inner["linear.bias"]
    wanted = (hidden * ndtr(hidden)) @ outer["linear.weight"].T + outer["linear.bias"]
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    # Whoever may read the configuration may read the weights.
    assert {path.stat().st_mode for path in out.glob("*_Dense/*")} == (
        {(out / "modules.json").stat().st_mode}
    )
    np.testing.assert_allclose(Oracle(out, layout).embed(TEXTS), wanted, atol=1e-5)
    options = ExportOptions(formats=("onnx",), precisions=("fp32",), texts=texts)
    report = export(str(out), tmp_path / "bundle", options)
    assert report.manifest.embedding.matryoshka_dims == (4, 24)
    vectors = Encoder.load(tmp_path / "bundle", truncate_dim=4).encode(TEXTS, prompt="")
    np.testing.assert_allclose(vectors, prefix(wanted.astype(np.float32), 4), atol=1e-4)


def test_the_same_seed_gives_the_same_files(plain, texts, tmp_path, capsys):
    for name in ("one", "two"):
        run(capsys, plain, "--texts", texts, "-o", tmp_path / name, "--epochs", 1)
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))
    assert (tmp_path / "one" / "README.md").read_text().startswith("---\nlicense: mit")
    for file in files:
        if (tmp_path / "one" / file).is_file():
            assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "nowhere"}, "there is no model folder at nowhere"),
        ({"model": "wordllama"}, "takes no adapter"),
        ({"--texts": "nowhere.txt"}, "there is no text file"),
        ({"--texts": "few.txt"}, "gives 1 different texts, and 200 are needed"),
        ({"--dims": "8,64"}, "64 is beyond the model"),
        ({"--dims": "16,8"}, "must rise"),
        ({"--dims": "all"}, "cannot read the sizes"),
        ({"--epochs": "0"}, "--epochs must be 1 or more"),
        ({"-o": "full"}, "exists"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    plain, texts, tmp_path, capsys, monkeypatch, change, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "few.txt").write_text("one line\none line\n")
    (tmp_path / "full").mkdir()
    before = sorted(tmp_path.iterdir())
    arguments = {"model": plain, "--texts": texts, "-o": "out"} | change
    words_in = [str(arguments.pop("model"))]
    for flag, value in arguments.items():
        words_in += [flag, str(value)]
    assert main(["adapt", *words_in]) == 2
    captured = capsys.readouterr()
    *steps, line = captured.err.splitlines()
    assert all(step.startswith("[") for step in steps)
    assert words in line and captured.out == ""
    assert sorted(tmp_path.iterdir()) == before
