"""What is read from a model folder without torch, and the sentence each wrong folder gets."""

import json
import shutil

import pytest

from edge_mrl.errors import ExportError
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.sources.model_card import read_licence
from edge_mrl_export.sources.modules import NormalizeModule
from edge_mrl_export.sources.modules_json import read_layout
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.st_models import (
    ADAPTER,
    HIDDEN,
    dense,
    layer_norm,
    write_bert,
    write_json,
    write_modules,
)

REMOVED = object()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "small"
    write_bert(folder)
    return write_modules(folder, 5)


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "small")


def edit(path, **changes):
    value = json.loads(path.read_text()) if path.is_file() else {}
    value |= changes
    write_json(path, {key: item for key, item in value.items() if item is not REMOVED})


def edit_modules(folder, number, **changes):
    entries = json.loads((folder / "modules.json").read_text())
    entries[number] |= changes
    write_json(folder / "modules.json", entries)


def refusal(folder, **options):
    with pytest.raises(ExportError) as caught:
        SentenceTransformersSource(folder, **options)
    return str(caught.value)


def test_a_folder_is_read(folder):
    layout = read_layout(folder)
    assert layout.dim == 48
    assert layout.transformer.max_seq_length == 32
    assert layout.pooling.modes == ("mean",)
    assert [getattr(module, "activation", None) for module in layout.tail] == [
        "GELU",
        "Identity",
        None,
    ]
    description = SentenceTransformersSource(folder).describe()
    assert description.name == "small"
    assert description.architecture == "bert"
    assert description.matryoshka_dims == (8, 16, 48)
    assert description.prompts == {"query": "find: "}
    assert description.similarity == "cosine"
    assert (description.tokenizer.max_tokens, description.tokenizer.pad_id) == (32, 0)
    stored = json.loads(description.tokenizer.json)
    assert stored["truncation"] is None and stored["padding"] is None


def test_version_5_flags_join_in_sentence_transformers_order(folder):
    edit(
        folder / "1_Pooling" / "config.json",
        pooling_mode_lasttoken=True,
        pooling_mode_cls_token=True,
    )
    write_modules_width(folder, 3 * HIDDEN)
    assert read_layout(folder).pooling.modes == ("cls", "mean", "lasttoken")


def test_version_6_modes_join_in_their_own_order(folder):
    write_json(
        folder / "1_Pooling" / "config.json",
        {"embedding_dimension": HIDDEN, "pooling_mode": ["mean", "cls"]},
    )
    write_modules_width(folder, 2 * HIDDEN)
    assert read_layout(folder).pooling.modes == ("mean", "cls")


def write_modules_width(folder, width):
    edit(folder / "2_Dense" / "config.json", in_features=width)


def test_a_dense_without_a_named_activation_has_the_library_default(folder):
    edit(folder / "2_Dense" / "config.json", activation_function=REMOVED)
    assert read_layout(folder).tail[0].activation == "Tanh"


def test_a_normalize_needs_no_folder(folder):
    shutil.rmtree(folder / "4_Normalize", ignore_errors=True)
    assert isinstance(read_layout(folder).tail[-1], NormalizeModule)


MISSING = [
    ("modules.json", "modules.json is missing"),
    ("config.json", "config.json is missing"),
    ("1_Pooling/config.json", "1_Pooling/config.json is missing"),
    ("2_Dense/config.json", "2_Dense/config.json is missing"),
    ("model.safetensors", "model.safetensors is missing"),
    (
        "tokenizer.json",
        "tokenizer.json is missing: load the tokenizer with transformers.AutoTokenizer",
    ),
]


@pytest.mark.parametrize(("name", "sentence"), MISSING)
def test_a_missing_file_is_named(folder, name, sentence):
    (folder / name).unlink()
    assert sentence in refusal(folder)


def test_missing_dense_weights_are_named(folder):
    (folder / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(ExportError, match=r"2_Dense/model\.safetensors is missing"):
        SentenceTransformersSource(folder).describe()


def test_a_folder_that_is_not_there(tmp_path):
    assert "is not a folder" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize("place", [".", "2_Dense"])
def test_pickled_weights_are_refused_with_advice(folder, place):
    (folder / place / "model.safetensors").rename(folder / place / "pytorch_model.bin")
    with pytest.raises(ExportError, match=r"pickled weights .* save the model again"):
        SentenceTransformersSource(folder).describe()


@pytest.mark.parametrize("keep", [4, 200, -1])
def test_weights_that_are_cut_short_are_refused(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ExportError, match=r"model\.safetensors.*copy"):
        SentenceTransformersSource(folder).describe()


@pytest.mark.parametrize(
    "name",
    [
        "sentence_transformers.models.WordWeights",
        "custom_st.Transformer",
        "os.path.Pooling",
        "Pooling",
    ],
)
def test_an_unknown_module_is_refused_by_name(folder, name):
    edit_modules(folder, 1, type=name)
    message = refusal(folder)
    assert name in message and "known modules are Transformer, Pooling" in message


def test_a_model_without_pooling_is_refused(folder):
    entries = json.loads((folder / "modules.json").read_text())
    write_json(folder / "modules.json", [entries[0], *entries[2:]])
    assert "begins with Transformer -> Dense" in refusal(folder)


def test_a_second_pooling_is_refused(folder):
    edit_modules(folder, 4, type="sentence_transformers.models.Pooling", path="1_Pooling")
    assert "is a second Pooling" in refusal(folder)


def test_a_module_outside_the_folder_is_refused(folder):
    edit_modules(folder, 1, path="../elsewhere")
    assert "points outside the model folder" in refusal(folder)


WRONG_FIELDS = [
    (
        "2_Dense",
        {"activation_function": "torch.nn.modules.activation.Mish"},
        "the activation 'Mish'",
    ),
    ("2_Dense", {"activation_function": "mine.GELU"}, "the activation 'mine.GELU'"),
    (
        "2_Dense",
        {"module_input_name": "token_embeddings"},
        "only modules on sentence_embedding",
    ),
    ("2_Dense", {"in_features": 31}, "takes 31 numbers but the module before it"),
    ("2_Dense", {"out_features": "64"}, "'out_features' must be a whole number"),
    ("1_Pooling", {"pooling_mode": "median"}, "the pooling mode 'median'"),
    ("1_Pooling", {"pooling_mode": []}, "pooling_mode is empty"),
    ("1_Pooling", {"pooling_mode_attention": True}, "pooling_mode_attention is not a pooling mode"),
    (".", {"max_position_embeddings": 0.5}, "'max_position_embeddings' must be a whole number"),
]


@pytest.mark.parametrize(("place", "fields", "sentence"), WRONG_FIELDS)
def test_a_wrong_field_is_named(folder, place, fields, sentence):
    edit(folder / place / "config.json", **fields)
    assert sentence in refusal(folder)


def test_a_model_that_leaves_its_prompts_out_of_pooling_is_another_model(folder):
    before = SentenceTransformersSource(folder).describe()
    edit(folder / "1_Pooling" / "config.json", include_prompt=False)
    after = SentenceTransformersSource(folder).describe()
    assert (before.include_prompt, after.include_prompt) == (True, False)
    assert before.identity != after.identity


WRONG_TRANSFORMER = [
    ({"transformer_task": "fill-mask"}, "'fill-mask' does not give embeddings"),
    ({"modality_config": {"image": {}}}, "only models of text"),
    ({"processing_kwargs": {"text": {"padding": "max_length"}}}, "processing_kwargs changes how"),
    ({"max_seq_length": 0}, "'max_seq_length' must be a whole number"),
]


@pytest.mark.parametrize(("fields", "sentence"), WRONG_TRANSFORMER)
def test_a_transformer_that_export_cannot_follow_is_refused(folder, fields, sentence):
    edit(folder / "sentence_bert_config.json", **fields)
    assert sentence in refusal(folder)


WRONG_SETTINGS = [
    ({"similarity_fn_name": "euclidean"}, "compares its vectors by euclidean"),
    ({"default_prompt_name": "passage"}, "default_prompt_name 'passage' is not among the prompts"),
    ({"prompts": {"query": 3}}, "'query' must be text"),
]


@pytest.mark.parametrize(("fields", "sentence"), WRONG_SETTINGS)
def test_wrong_settings_are_refused(folder, fields, sentence):
    edit(folder / "config_sentence_transformers.json", **fields)
    assert sentence in refusal(folder)


@pytest.mark.parametrize(("tail", "allowed"), [(ADAPTER, True), (ADAPTER[:2], False)])
def test_dot_products_need_unit_vectors(folder, tail, allowed):
    write_modules(folder, 5, tail)
    edit(folder / "config_sentence_transformers.json", similarity_fn_name="dot")
    if allowed:
        assert SentenceTransformersSource(folder).describe().similarity == "dot"
    else:
        assert "compares its vectors by dot" in refusal(folder)


def test_json_that_is_not_json(folder):
    (folder / "modules.json").write_text("[{")
    assert "modules.json is not valid JSON" in refusal(folder)


def test_a_tokenizer_without_a_padding_token(folder):
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        edit(folder / name, pad_token=REMOVED)
    assert "has no padding token: set pad_token" in refusal(folder)


def test_a_tokenizer_that_cuts_the_beginning_of_texts(folder):
    edit(folder / "tokenizer_config.json", truncation_side="left")
    assert "texts are cut at their beginning (truncation_side)" in refusal(folder)


def test_a_padding_token_that_the_tokenizer_does_not_know(folder):
    edit(folder / "tokenizer_config.json", pad_token="<nothing>")
    assert "does not know the padding token '<nothing>'" in refusal(folder)


def test_a_tokenizer_file_of_another_kind(folder):
    write_json(folder / "tokenizer.json", {"a": 1})
    assert "tokenizer.json cannot be read" in refusal(folder)


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
    folder, transformer, tokenizer, config, expected
):
    write_json(folder / "sentence_bert_config.json", transformer)
    edit(folder / "tokenizer_config.json", **tokenizer)
    edit(folder / "config.json", **config)
    assert SentenceTransformersSource(folder).describe().tokenizer.max_tokens == expected


RECORDED = [
    ("mrl.json", '{"matryoshka_dims": [8, 48]}', (8, 48)),
    ("config_sentence_transformers.json", '{"truncate_dims": [48, 16, 8]}', (8, 16, 48)),
    ("config.json", None, (4, 32)),
    ("README.md", 'loss:\n```json\n{\n "matryoshka_dims": [\n  32,\n  8\n ]}\n```', (8, 32)),
]


@pytest.mark.parametrize(("name", "content", "expected"), RECORDED)
def test_recorded_sizes_are_found(folder, name, content, expected):
    (folder / "mrl.json").unlink()
    if content is None:
        edit(folder / name, matryoshka_dimensions=[4, 32])
    else:
        (folder / name).write_text(content)
    assert SentenceTransformersSource(folder).describe().matryoshka_dims == expected


def test_no_recorded_sizes(folder):
    (folder / "mrl.json").unlink()
    assert "give them with --dims, as in --dims 12,24,48" in refusal(folder)


WRONG_SIZES = [
    ((16, 8), "--dims: the sizes 16, 8 must rise"),
    ((8, 8), "--dims: the sizes 8, 8 must rise"),
    ((8, 64), "--dims: 64 is beyond the model, whose vectors have 48 dimensions"),
    ((), "--dims: give at least one size"),
    ((0, 8), "--dims: give at least one size, each 1 or more"),
]


@pytest.mark.parametrize(("sizes", "sentence"), WRONG_SIZES)
def test_wrong_sizes(folder, sizes, sentence):
    assert sentence in refusal(folder, dims=sizes)


def test_recorded_sizes_beyond_the_model(folder):
    write_json(folder / "mrl.json", {"matryoshka_dims": [8, 49]})
    assert "matryoshka_dims: 49 is beyond the model" in refusal(folder)


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


def test_a_licence_that_is_given_wins(folder):
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    assert SentenceTransformersSource(folder, licence="gemma").describe().licence == "gemma"


@pytest.mark.parametrize("request_", [("tflite", "int4"), ("table", "int8-portable")])
def test_what_cannot_be_written_is_refused_with_what_can(folder, tmp_path, request_):
    source = SentenceTransformersSource(folder)
    sentence = (
        "choose onnx with one of int8-fast, int8-portable, .* or tflite with one of int8-fast"
    )
    with pytest.raises(ExportError, match=sentence):
        source.build(VariantRequest(*request_), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_architecture_that_optimum_does_not_know(folder, tmp_path):
    edit(folder / "config.json", model_type="rwkv")
    with pytest.raises(ExportError, match="Optimum cannot export the model"):
        SentenceTransformersSource(folder).build(VariantRequest("onnx", "fp32"), tmp_path / "out")


def test_a_backbone_of_another_width_than_the_pooling_says(folder, tmp_path):
    write_modules(
        folder, 5, [layer_norm(HIDDEN + 1, 1), dense(HIDDEN + 1, 48, "linear.Identity", 2)]
    )
    edit(folder / "1_Pooling" / "config.json", word_embedding_dimension=HIDDEN + 1)
    with pytest.raises(
        ExportError, match="token vectors have 32 numbers but the Pooling config says 33"
    ):
        SentenceTransformersSource(folder).build(VariantRequest("onnx", "fp32"), tmp_path / "out")


def test_a_missing_extra_is_named_with_its_pip_command(folder, monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "optimum" else find(name)
    )
    assert refusal(folder) == ("this export needs optimum: run `pip install 'edge-mrl[export]'`")
