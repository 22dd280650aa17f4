"""`--layers`: what is kept equals sentence-transformers' model with its layer list cut."""

import json

import numpy as np
import pytest

from edge_mrl import Encoder
from edge_mrl.bundle import Bundle
from edge_mrl.cli.main import main
from edge_mrl.slices import normalize, prefix
from edge_mrl_export.layers import count_layers, first_layers
from edge_mrl_export.sources.model_files import read_object
from tests.export.small_models import ARCHITECTURES, write_backbone
from tests.export.st_models import TEXTS, write_bert, write_modules


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "small"
    write_bert(folder)
    return write_modules(folder, 5)


@pytest.fixture(scope="module")
def bundle(folder, few_texts, tmp_path_factory):
    out = tmp_path_factory.mktemp("layers") / "bundle"
    command = ["export", str(folder), "-o", str(out), "--layers", "1", "--formats", "onnx"]
    command += ["--precision", "fp32", "--opset", "19", "--texts", str(few_texts)]
    assert main(command) == 0
    return out


def cut_by_hand(folder, layers):
    """As sentence-transformers' documentation of AdaptiveLayerLoss cuts a model for inference."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    encoder = model[0].auto_model.encoder
    encoder.layer = encoder.layer[:layers]
    return normalize(model.encode(list(TEXTS), convert_to_numpy=True))


@pytest.mark.parametrize("dim", [8, 48])
def test_the_bundle_equals_the_model_cut_by_hand(folder, bundle, dim):
    vectors = Encoder.load(bundle, truncate_dim=dim).encode(TEXTS, prompt="")
    np.testing.assert_allclose(vectors, prefix(cut_by_hand(folder, 1), dim), atol=1e-4)
    whole = prefix(cut_by_hand(folder, 2), dim)
    assert (vectors * whole).sum(axis=1).min() < 0.99


def test_the_manifest_compares_layers_and_has_an_identity_of_its_own(folder, bundle, capsys):
    manifest = Bundle.open(bundle).manifest
    assert manifest.model.name == "small-1-layers"
    rows = {(row.layers, row.dim): row for row in manifest.quality.layers}
    assert set(rows) == {(n, d) for n in (1, 2) for d in (8, 16, 48)}
    assert rows[2, 48].kept == 1
    assert main(["inspect", str(bundle)]) == 0
    assert "the first 1 of 2 layers" in capsys.readouterr().out
    assert "What fewer layers keep" in (bundle / "report.html").read_text("utf-8")


def test_the_operator_set_is_the_one_asked_for(bundle):
    import onnx

    model = onnx.load(bundle / "onnx" / "fp32.onnx")
    assert [one.version for one in model.opset_import if one.domain == ""] == [19]


def test_the_model_s_own_files_stay_as_they_are(folder):
    before = (folder / "config.json").read_bytes()
    with first_layers(folder, 1) as cut:
        assert count_layers(cut) == 1
        assert read_object(cut / "config.json")["num_hidden_layers"] == 1
    assert not cut.exists()
    assert (folder / "config.json").read_bytes() == before


def test_an_architecture_with_another_spelling(tmp_path):
    write_backbone(tmp_path / "m", ARCHITECTURES["distilbert"])
    write_modules(tmp_path / "m", 5)
    assert count_layers(tmp_path / "m") == 2
    with first_layers(tmp_path / "m", 1) as cut:
        assert read_object(cut / "config.json")["n_layers"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--layers", "2"], "has 2 layers, so keep 1 to 1 of them"),
        (["--layers", "0"], "keep 1 to 1"),
        (["--opset", "12"], "choose 18 to 20"),
        (["--opset", "21"], "choose 18 to 20"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_leaves_nothing(
    folder, tmp_path, capsys, arguments, words
):
    assert main(["export", str(folder), "-o", str(tmp_path / "b"), *arguments]) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_config_that_does_not_say_is_one_sentence(tmp_path, capsys):
    write_bert(tmp_path / "m")
    write_modules(tmp_path / "m", 5)
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    del config["num_hidden_layers"]
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    assert main(["export", str(tmp_path / "m"), "-o", str(tmp_path / "b"), "--layers", "1"]) == 2
    assert "does not say how many layers" in capsys.readouterr().err
