"""`edge-mrl check` as a user runs it."""

import json

import numpy as np
import pytest

from edge_mrl.cli.main import main
from edge_mrl_export.commands import check as check_module
from edge_mrl_export.sample import default_sample
from tests.cli.running import fails
from tests.export.static_models import table, write_model2vec


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Texts of which no two are the same, one a line."""
    path = tmp_path_factory.mktemp("texts") / "texts.txt"
    lines = [f"{n}. {' '.join(text.split())}" for n, text in enumerate(default_sample().documents)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def shuffle(monkeypatch):
    """Every model's coordinates come in another order."""
    columns = np.random.default_rng(0).permutation(256)
    real = check_module.open_source

    class Shuffled:
        def __init__(self, *arguments):
            self.describe = real(*arguments).describe
            self.reference = lambda texts: real(*arguments).reference(texts)[:, columns]

    monkeypatch.setattr(check_module, "open_source", Shuffled)


def test_wordllama_passes_the_same_way_each_time(capsys, texts):
    shown = []
    for _ in range(2):
        assert main(["check", "wordllama", "--texts", str(texts), "--json"]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    outcome = json.loads(shown[0])
    assert (outcome["model"], outcome["verdict"]) == ("wordllama-l2-supercat-256", "front-loaded")
    assert (outcome["texts"], outcome["dim"]) == (300, 256)
    for depth, dim in zip(outcome["depths"], (64, 128), strict=True):
        assert (depth["dim"], depth["passed"]) == (dim, True)
        assert depth["prefix"] == pytest.approx(depth["random"] * (1 + depth["gain"]), abs=1e-4)


def test_shuffled_coordinates_fail_with_exit_code_1(capsys, monkeypatch, texts):
    shuffle(monkeypatch)
    assert main(["check", "wordllama", "--texts", str(texts)]) == 1
    shown = capsys.readouterr().out
    assert "wordllama-l2-supercat-256: not front-loaded" in shown
    assert "gain +4 % and z = 3" in shown
    assert "not how the model was trained" in shown


def test_the_standard_library_s_documentation_serves_by_default(capsys):
    assert main(["check", "wordllama"]) == 0
    assert "128 of 256" in capsys.readouterr().out


def test_one_size_has_nothing_to_test(capsys, texts):
    assert main(["check", "wordllama", "--dims", "64", "--texts", str(texts)]) == 0
    assert "not tested: there is one size" in capsys.readouterr().out


def test_a_model_that_records_no_sizes_is_compared_at_a_quarter_and_a_half(capsys, texts, tmp_path):
    folder = tmp_path / "m"
    write_model2vec(folder)
    width = table().shape[1]
    assert main(["check", str(folder), "--texts", str(texts), "--json"]) in (0, 1)
    shown = capsys.readouterr()
    assert "record no trained sizes" in shown.err
    depths = [depth["dim"] for depth in json.loads(shown.out)["depths"]]
    assert depths == [width // 4, width // 2]
    assert "does not record the sizes" in fails(capsys, "export", folder, "-o", tmp_path / "b")


def test_a_missing_text_file(capsys, tmp_path):
    assert "no text file" in fails(capsys, "check", "wordllama", "--texts", tmp_path / "none")


def test_too_few_texts_count_once_each(capsys, tmp_path):
    path = tmp_path / "few.txt"
    path.write_text("\n".join(f"text number {n}" for n in range(49)) + "\n\ntext number 1\n")
    assert "49 different texts, and 50 are needed" in fails(
        capsys, "check", "wordllama", "--texts", path
    )


def test_texts_without_words_have_no_vector(capsys, tmp_path, monkeypatch):
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(f"text number {n}" for n in range(60)))
    real = check_module.open_source

    class Silent:
        def __init__(self, *arguments):
            self.describe = real(*arguments).describe
            self.reference = lambda texts: np.zeros((len(texts), 256), dtype=np.float32)

    monkeypatch.setattr(check_module, "open_source", Silent)
    assert main(["check", "wordllama", "--texts", str(path)]) == 1
    assert "there are 0" in capsys.readouterr().out


def test_a_folder_that_is_no_model(capsys, texts, tmp_path):
    assert "modules.json" in fails(capsys, "check", tmp_path, "--texts", texts)
    assert "no model folder" in fails(capsys, "check", tmp_path / "none", "--texts", texts)


def test_dims_that_are_no_numbers_or_not_trained(capsys, texts):
    assert "64,128,256" in fails(capsys, "check", "wordllama", "--texts", texts, "--dims", "a,b")
    assert "64, 128, 256" in fails(capsys, "check", "wordllama", "--texts", texts, "--dims", "100")
