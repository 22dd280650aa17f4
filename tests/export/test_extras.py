"""What an extra brings and is not installed: the sentence names the pip command."""

import sys

import pytest

from edge_mrl.cli.main import main
from edge_mrl_export import extras
from tests.export.st_models import write_json


@pytest.fixture
def without(monkeypatch):
    """Hides modules as if they had never been installed."""

    def hide(*names):
        real = extras.importlib.util.find_spec
        monkeypatch.setattr(
            extras.importlib.util,
            "find_spec",
            lambda name, *rest: None if name in names else real(name, *rest),
        )
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)

    return hide


@pytest.mark.parametrize(
    ("missing", "command", "extra"),
    [
        ("torch", ["export", "MODEL", "-o", "OUT"], "export"),
        ("optimum", ["export", "MODEL", "-o", "OUT"], "export"),
        ("torch", ["adapt", "MODEL", "--texts", "TEXTS", "-o", "OUT"], "export"),
        ("torch", ["check", "MODEL"], "export"),
        ("ir_measures", ["eval", "BUNDLE", "--data", "TEXTS"], "eval"),
        ("scipy", ["export", "wordllama", "-o", "OUT", "--eval", "MODEL"], "eval"),
        ("onnx", ["export", "wordllama", "-o", "OUT"], "export-static"),
        ("onnxruntime", ["export", "wordllama", "-o", "OUT"], "export-static"),
        ("onnxruntime", ["export", "MODEL", "-o", "OUT"], "export"),
        ("ai_edge_litert", ["export", "wordllama", "-o", "OUT", "--formats", "tflite"], "litert"),
    ],
)
def test_the_sentence_names_the_pip_command(
    without, static_bundle, tmp_path, capsys, missing, command, extra
):
    write_json(tmp_path / "m" / "modules.json", [])
    (tmp_path / "t.txt").write_text("text\n")
    places = {
        "MODEL": str(tmp_path / "m"),
        "OUT": str(tmp_path / "out"),
        "TEXTS": str(tmp_path / "t.txt"),
        "BUNDLE": str(static_bundle),
    }
    before = sorted(tmp_path.iterdir())
    without(missing)
    assert main([places.get(word, word) for word in command]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"pip install 'edge-mrl[{extra}]'" in line
    assert sorted(tmp_path.iterdir()) == before


def test_a_converter_that_is_missing_is_told_before_any_text_is_embedded(
    without, st_folder, tmp_path, capsys
):
    without("litert_torch")
    words = ["export", str(st_folder), "-o", str(tmp_path / "out"), "--formats", "tflite"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert (
        "this tflite variant needs litert_torch: run `pip install 'edge-mrl[export]'` with" in said
    )
    assert "reference vectors" not in said


def test_an_evaluation_without_an_engine_names_what_brings_one(
    without, token_bundle, tmp_path, capsys
):
    pytest.importorskip("ir_measures", reason="the extra `eval` is not installed here")
    (tmp_path / "pairs.tsv").write_text("sentence1\tsentence2\tscore\na\tb\t1\nc\td\t2\ne\tf\t3\n")
    without("onnxruntime")
    assert main(["eval", str(token_bundle), "--data", str(tmp_path)]) == 2
    assert "run `pip install 'edge-mrl[onnx]'`" in capsys.readouterr().err
