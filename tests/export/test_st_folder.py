"""What is read from a model folder without torch: modules, longest input, sizes, licence."""

import json
import shutil

import pytest

from edge_mrl_export.sources.model_card import read_licence
from edge_mrl_export.sources.modules import NormalizeModule
from edge_mrl_export.sources.modules_json import read_layout
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.st_folders import REMOVED, edit, refusal
from tests.export.st_models import HIDDEN, write_json


def test_a_folder_is_read(st_folder):
    layout = read_layout(st_folder)
    assert layout.dim == 48
    assert layout.transformer.max_seq_length == 32
    assert layout.pooling.modes == ("mean",)
    assert [getattr(module, "activation", None) for module in layout.tail] == [
        "GELU",
        "Identity",
        None,
    ]
    description = SentenceTransformersSource(st_folder).describe()
    assert description.name == "small"
    assert description.architecture == "bert"
    assert description.matryoshka_dims == (8, 16, 48)
    assert description.prompts == {"query": "find: "}
    assert description.similarity == "cosine"
    assert (description.tokenizer.max_tokens, description.tokenizer.pad_id) == (32, 0)
    stored = json.loads(description.tokenizer.json)
    assert stored["truncation"] is None and stored["padding"] is None


def test_version_5_flags_join_in_sentence_transformers_order(st_folder):
    edit(
        st_folder / "1_Pooling" / "config.json",
        pooling_mode_lasttoken=True,
        pooling_mode_cls_token=True,
    )
    write_modules_width(st_folder, 3 * HIDDEN)
    assert read_layout(st_folder).pooling.modes == ("cls", "mean", "lasttoken")


def test_version_6_modes_join_in_their_own_order(st_folder):
    write_json(
        st_folder / "1_Pooling" / "config.json",
        {"embedding_dimension": HIDDEN, "pooling_mode": ["mean", "cls"]},
    )
    write_modules_width(st_folder, 2 * HIDDEN)
    assert read_layout(st_folder).pooling.modes == ("mean", "cls")


def write_modules_width(folder, width):
    edit(folder / "2_Dense" / "config.json", in_features=width)


def test_a_dense_without_a_named_activation_has_the_library_default(st_folder):
    edit(st_folder / "2_Dense" / "config.json", activation_function=REMOVED)
    assert read_layout(st_folder).tail[0].activation == "Tanh"


def test_a_normalize_needs_no_folder(st_folder):
    shutil.rmtree(st_folder / "4_Normalize", ignore_errors=True)
    assert isinstance(read_layout(st_folder).tail[-1], NormalizeModule)


LENGTHS = [
    ({"max_seq_length": 32}, {}, {}, 32),
    ({"max_seq_length": 500}, {}, {}, 64),
    ({}, {"model_max_length": 20}, {}, 20),
    ({}, {"model_max_length": 10**30}, {}, 64),
    ({}, {"model_max_length": 10**30}, {"max_position_embeddings": REMOVED}, None),
    ({"max_seq_length": 40}, {"model_max_length": 20}, {}, 40),
    ({}, {}, {"model_type": "xlm-roberta", "max_position_embeddings": 34, "pad_token_id": 1}, 32),
]


@pytest.mark.parametrize(("transformer", "tokenizer", "config", "expected"), LENGTHS)
def test_the_longest_input_follows_sentence_transformers(
    st_folder, transformer, tokenizer, config, expected
):
    write_json(st_folder / "sentence_bert_config.json", transformer)
    edit(st_folder / "tokenizer_config.json", **tokenizer)
    edit(st_folder / "config.json", **config)
    assert SentenceTransformersSource(st_folder).describe().tokenizer.max_tokens == expected


RECORDED = [
    ("mrl.json", '{"matryoshka_dims": [8, 48]}', (8, 48)),
    ("config_sentence_transformers.json", '{"truncate_dims": [48, 16, 8]}', (8, 16, 48)),
    ("config.json", None, (4, 32)),
    ("README.md", 'loss:\n```json\n{\n "matryoshka_dims": [\n  32,\n  8\n ]}\n```', (8, 32)),
]


@pytest.mark.parametrize(("name", "content", "expected"), RECORDED)
def test_recorded_sizes_are_found(st_folder, name, content, expected):
    (st_folder / "mrl.json").unlink()
    if content is None:
        edit(st_folder / name, matryoshka_dimensions=[4, 32])
    else:
        (st_folder / name).write_text(content)
    assert SentenceTransformersSource(st_folder).describe().matryoshka_dims == expected


def test_no_recorded_sizes(st_folder):
    (st_folder / "mrl.json").unlink()
    assert "give them with --dims, as in --dims 12,24,48" in refusal(st_folder)


WRONG_SIZES = [
    ((16, 8), "--dims: the sizes 16, 8 must rise"),
    ((8, 8), "--dims: the sizes 8, 8 must rise"),
    ((8, 64), "--dims: 64 is beyond the model, whose vectors have 48 dimensions"),
    ((), "--dims: give at least one size"),
    ((0, 8), "--dims: give at least one size, each 1 or more"),
]


@pytest.mark.parametrize(("sizes", "sentence"), WRONG_SIZES)
def test_wrong_sizes(st_folder, sizes, sentence):
    assert sentence in refusal(st_folder, dims=sizes)


def test_recorded_sizes_beyond_the_model(st_folder):
    write_json(st_folder / "mrl.json", {"matryoshka_dims": [8, 49]})
    assert "matryoshka_dims: 49 is beyond the model" in refusal(st_folder)


LICENCES = [
    ("README.md", "---\ntags: [x]\nlicense: apache-2.0\n---\n# x", "apache-2.0"),
    ("README.md", "---\nlicense: other\nlicense_name: gemma\n---\n", "gemma"),
    ("README.md", "---\nlicense:\n- mit\n---\n", "mit"),
    ("README.md", "# no front matter\nlicense: mit", "unknown"),
    ("LICENSE", "\n     Apache License\n   Version 2.0, January 2004", "apache-2.0"),
    ("LICENSE.txt", "MIT License\n\nCopyright", "mit"),
    ("LICENSE", "all rights reserved", "unknown"),
]


@pytest.mark.parametrize(("name", "text", "expected"), LICENCES)
def test_the_licence_is_read(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    assert read_licence(tmp_path) == expected


def test_a_licence_that_is_given_wins(st_folder):
    (st_folder / "README.md").write_text("---\nlicense: mit\n---\n")
    assert SentenceTransformersSource(st_folder, licence="gemma").describe().licence == "gemma"
