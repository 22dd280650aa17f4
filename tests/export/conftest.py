"""Model folders, and a small transformer as TFLite at every precision, for the tests of what is in
such a bundle."""

from __future__ import annotations

import importlib.util
import shutil

import pytest

from edge_mrl_export import ExportOptions, export
from tests.export.st_models import write_bert, write_modules

LENGTHS = (4, 8, 16)


@pytest.fixture(scope="session")
def whole_st_folder(tmp_path_factory):
    """A sentence-transformers folder of a small BERT. Not to be changed."""
    folder = tmp_path_factory.mktemp("whole") / "small"
    write_bert(folder)
    return write_modules(folder, 5)


@pytest.fixture
def st_folder(whole_st_folder, tmp_path):
    """A copy of that folder."""
    return shutil.copytree(whole_st_folder, tmp_path / "small")


@pytest.fixture(scope="session")
def lite_model(tmp_path_factory):
    """The folder of the model. Its prompts are left out of pooling, so every file takes a third
    input."""
    pytest.importorskip("sentence_transformers")
    folder = tmp_path_factory.mktemp("lite-model") / "small"
    write_bert(folder)
    return write_modules(folder, 5, include_prompt=False)


@pytest.fixture(scope="session")
def lite_report(lite_model, few_texts, tmp_path_factory):
    """An export with token vectors whose longest signature is shorter than the model reads (32).
    Not to be changed."""
    if importlib.util.find_spec("litert_torch") is None:
        pytest.skip("litert-torch is not installed here")
    options = ExportOptions(
        formats=("tflite",),
        precisions=("fp32", "fp16", "int8-fast", "int8-portable"),
        sequence_lengths=LENGTHS,
        texts=few_texts,
        token_vectors=True,
    )
    return export(str(lite_model), tmp_path_factory.mktemp("lite") / "bundle", options)
