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
