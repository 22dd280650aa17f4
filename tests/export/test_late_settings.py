"""What is read of a ColBERT folder's settings, and which are refused."""

import shutil

import pytest

from edge_mrl.errors import ExportError
from edge_mrl_export import ExportOptions
from edge_mrl_export.adapt.run import adapt
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.sources import open_folder
from edge_mrl_export.sources.origin import Origin
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.colbert_models import (
    DENSE,
    PYLATE,
    QUERY_TOKENS,
    write_pylate,
    write_stanford,
)
from tests.export.st_models import write_json


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pylate(tmp_path_factory.mktemp("pylate") / "model")


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def describe(folder):
    return SentenceTransformersSource(folder).describe()


def test_what_pylate_assumes_where_a_setting_is_missing(copy):
    write_json(copy / "config_sentence_transformers.json", {})
    found = describe(copy)
    late = found.late_interaction
    assert (late.query_tokens, late.document_tokens) == (32, 64)  # of 180; the model has 64
    assert (late.fill_id, late.attend_to_fill) == (4, False)
    # ! , . ? of the vocabulary, and the unknown token for the rest.
    assert len(late.skipped_ids) == 5
    assert found.prompts == {"query": "[Q] ", "document": "[D] "}


def test_settings_that_say_otherwise(copy):
    changed = {
        "query_prefix": "",
        "do_query_expansion": False,
        "attend_to_expansion_tokens": True,
        "skiplist_words": [],
        "prompts": {"query": "", "document": "", "always": "text: "},
        "default_prompt_name": "always",
    }
    before = describe(copy).identity
    write_json(copy / "config_sentence_transformers.json", PYLATE | changed)
    found = describe(copy)
    assert found.late_interaction._replace(query_tokens=0, document_tokens=0) == (
        0,
        0,
        None,
        False,
        (),
    )
    assert found.prompts == {"query": "text: ", "document": "[D] text: "}
    assert found.identity != before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"query_prefix": "[nobody] "}, r"has no token '\[nobody\] '"),
        ({"query_prefix": 3}, "query_prefix must be a short text"),
        ({"query_length": "x"}, "query_length"),
        ({"query_length": 10**5}, "query_length"),
        ({"document_length": 0}, "document_length"),
        ({"do_query_expansion": "yes"}, "do_query_expansion"),
        ({"skiplist_words": [1]}, "skiplist_words"),
        ({"similarity_fn_name": "euclidean"}, "compares its vectors by euclidean"),
    ],
)
def test_settings_of_a_folder_that_cannot_be_used(copy, changes, said):
    write_json(copy / "config_sentence_transformers.json", PYLATE | changes)
    with pytest.raises(ExportError, match=said):
        describe(copy)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"use_residual": True}, "use_residual adds"),
        ({"module_input_name": "sentence_embedding"}, "only modules on token_embeddings"),
        ({"in_features": 31}, "31"),
    ],
)
def test_projections_that_cannot_be_exported(copy, changes, said):
    write_json(copy / "1_Dense/config.json", DENSE | changes)
    with pytest.raises(ExportError, match=said):
        SentenceTransformersSource(copy).build(VariantRequest("onnx", "fp32"), copy)


def test_queries_must_fit_what_a_tflite_file_reads(folder):
    with pytest.raises(ExportError, match=f"queries are filled up to {QUERY_TOKENS} tokens"):
        SentenceTransformersSource(folder, sequence_lengths=(8,))


def test_adapters_are_for_other_models(folder, tmp_path):
    with pytest.raises(ExportError, match="an adapter is for models that embed texts"):
        adapt(str(folder), tmp_path / "none.txt", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", '{"dim": 24, "query_maxlen": "x"}', '{"dim": 0}'])
def test_a_damaged_artifact_metadata(tmp_path, text):
    folder = write_stanford(tmp_path / "model")
    (folder / "artifact.metadata").write_text(text)
    with pytest.raises(ExportError, match=r"artifact\.metadata"):
        open_folder(Origin.of_folder(folder), ExportOptions())
