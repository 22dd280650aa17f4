"""Code that a model folder brings runs when it is trusted, and never otherwise."""

import json

import numpy as np
import pytest

from edge_mrl.cli.main import main
from edge_mrl.errors import ExportError
from edge_mrl_export import ExportOptions
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.sources import open_source
from tests.export.st_models import TEXTS, Session, token_ids, write_bert, write_modules

CODE = """
from pathlib import Path

from transformers import BertConfig, BertModel

Path({marker!r}).touch()


class HeronConfig(BertConfig):
    model_type = {kind!r}


class HeronModel(BertModel):
    config_class = HeronConfig

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None, **more):
        result = super().forward(input_ids, attention_mask, token_type_ids, **more)
        result.last_hidden_state = -2 * result.last_hidden_state
        return result
"""


@pytest.fixture(autouse=True)
def code_cache(tmp_path, monkeypatch):
    """Transformers copies a folder's code before it runs it."""
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))


def write_with_code(folder, kind):
    """A small BERT whose own code turns its token vectors around; `kind` is its architecture."""
    write_bert(folder)
    write_modules(folder, 5)
    config = json.loads((folder / "config.json").read_text()) | {
        "model_type": kind,
        "auto_map": {
            "AutoConfig": "heron.HeronConfig",
            "AutoModel": "heron.HeronModel",
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    code = CODE.format(marker=str(folder.parent / "ran"), kind=kind)
    (folder / "heron.py").write_text(code)
    return folder


def test_code_does_not_run_unasked(tmp_path):
    source = open_source(str(write_with_code(tmp_path / "a", "heron")), ExportOptions())
    for work in (
        lambda: source.reference(TEXTS),
        lambda: source.build(VariantRequest("onnx", "fp32"), tmp_path),
    ):
        with pytest.raises(ExportError, match=r"code of its own.*give --trust-remote-code"):
            work()
    assert not (tmp_path / "ran").exists()


def test_the_command_line_says_which_flag(tmp_path, capsys):
    folder = write_with_code(tmp_path / "b", "heron")
    arguments = ["export", str(folder), "--formats", "onnx", "-o", str(tmp_path / "bundle")]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "--trust-remote-code" in said and "Traceback" not in said
    assert not (tmp_path / "ran").exists() and not (tmp_path / "bundle").exists()


def test_trusted_code_is_what_is_exported(tmp_path):
    folder = write_with_code(tmp_path / "c", "bert")
    plain = open_source(str(folder), ExportOptions())
    trusted = open_source(str(folder), ExportOptions(trust_remote_code=True))
    assert plain.describe().identity != trusted.describe().identity
    before = plain.reference(TEXTS)
    assert not (tmp_path / "ran").exists()
    after = trusted.reference(TEXTS)
    assert (tmp_path / "ran").exists()
    assert (before * after).sum(axis=1).max() < 0.9
    (built,) = trusted.build(VariantRequest("onnx", "fp32"), tmp_path)
    session = Session(tmp_path / built.files[0])
    vectors = session.embed(token_ids(trusted.describe().tokenizer, TEXTS), 48)
    np.testing.assert_allclose(vectors, after, atol=1e-5)


def test_a_trusted_architecture_that_optimum_does_not_know_is_named(tmp_path):
    folder = write_with_code(tmp_path / "d", "heron")
    source = open_source(str(folder), ExportOptions(trust_remote_code=True))
    with pytest.raises(ExportError, match="does not know the architecture 'heron'"):
        source.build(VariantRequest("onnx", "fp32"), tmp_path)
