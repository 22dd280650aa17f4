"""The sentence that each wrong model folder gets."""

import json

import pytest

from edge_mrl.errors import ExportError
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.st_folders import REMOVED, edit, edit_modules, refusal
from tests.export.st_models import ADAPTER, HIDDEN, dense, layer_norm, write_json, write_modules

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
def test_a_missing_file_is_named(st_folder, name, sentence):
    (st_folder / name).unlink()
    assert sentence in refusal(st_folder)


def test_missing_dense_weights_are_named(st_folder):
    (st_folder / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(ExportError, match=r"2_Dense/model\.safetensors is missing"):
        SentenceTransformersSource(st_folder).describe()


def test_a_folder_that_is_not_there(tmp_path):
    assert "is not a folder" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize("place", [".", "2_Dense"])
def test_pickled_weights_are_refused_with_advice(st_folder, place):
    (st_folder / place / "model.safetensors").rename(st_folder / place / "pytorch_model.bin")
    with pytest.raises(ExportError, match=r"pickled weights .* save the model again"):
        SentenceTransformersSource(st_folder).describe()


@pytest.mark.parametrize("keep", [4, 200, -1])
def test_weights_that_are_cut_short_are_refused(st_folder, keep):
    path = st_folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ExportError, match=r"model\.safetensors.*copy"):
        SentenceTransformersSource(st_folder).describe()


@pytest.mark.parametrize(
    "name",
    [
        "sentence_transformers.models.WordWeights",
        "custom_st.Transformer",
        "os.path.Pooling",
        "Pooling",
    ],
)
def test_an_unknown_module_is_refused_by_name(st_folder, name):
    edit_modules(st_folder, 1, type=name)
    message = refusal(st_folder)
    assert name in message and "known modules are Transformer, Pooling" in message


def test_a_model_without_pooling_is_refused(st_folder):
    entries = json.loads((st_folder / "modules.json").read_text())
    write_json(st_folder / "modules.json", [entries[0], *entries[2:]])
    assert "begins with Transformer -> Dense" in refusal(st_folder)


def test_a_second_pooling_is_refused(st_folder):
    edit_modules(st_folder, 4, type="sentence_transformers.models.Pooling", path="1_Pooling")
    assert "is a second Pooling" in refusal(st_folder)


def test_a_module_outside_the_folder_is_refused(st_folder):
    edit_modules(st_folder, 1, path="../elsewhere")
    assert "points outside the model folder" in refusal(st_folder)


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
def test_a_wrong_field_is_named(st_folder, place, fields, sentence):
    edit(st_folder / place / "config.json", **fields)
    assert sentence in refusal(st_folder)


def test_a_model_that_leaves_its_prompts_out_of_pooling_is_another_model(st_folder):
    before = SentenceTransformersSource(st_folder).describe()
    edit(st_folder / "1_Pooling" / "config.json", include_prompt=False)
    after = SentenceTransformersSource(st_folder).describe()
    assert (before.include_prompt, after.include_prompt) == (True, False)
    assert before.identity != after.identity


WRONG_TRANSFORMER = [
    ({"transformer_task": "fill-mask"}, "'fill-mask' does not give embeddings"),
    ({"modality_config": {"image": {}}}, "only models of text"),
    ({"processing_kwargs": {"text": {"padding": "max_length"}}}, "processing_kwargs changes how"),
    ({"max_seq_length": 0}, "'max_seq_length' must be a whole number"),
]


@pytest.mark.parametrize(("fields", "sentence"), WRONG_TRANSFORMER)
def test_a_transformer_that_export_cannot_follow_is_refused(st_folder, fields, sentence):
    edit(st_folder / "sentence_bert_config.json", **fields)
    assert sentence in refusal(st_folder)


WRONG_SETTINGS = [
    ({"similarity_fn_name": "euclidean"}, "compares its vectors by euclidean"),
    ({"default_prompt_name": "passage"}, "default_prompt_name 'passage' is not among the prompts"),
    ({"prompts": {"query": 3}}, "'query' must be text"),
]


@pytest.mark.parametrize(("fields", "sentence"), WRONG_SETTINGS)
def test_wrong_settings_are_refused(st_folder, fields, sentence):
    edit(st_folder / "config_sentence_transformers.json", **fields)
    assert sentence in refusal(st_folder)


@pytest.mark.parametrize(("tail", "allowed"), [(ADAPTER, True), (ADAPTER[:2], False)])
def test_dot_products_need_unit_vectors(st_folder, tail, allowed):
    write_modules(st_folder, 5, tail)
    edit(st_folder / "config_sentence_transformers.json", similarity_fn_name="dot")
    if allowed:
        assert SentenceTransformersSource(st_folder).describe().similarity == "dot"
    else:
        assert "compares its vectors by dot" in refusal(st_folder)


def test_json_that_is_not_json(st_folder):
    (st_folder / "modules.json").write_text("[{")
    assert "modules.json is not valid JSON" in refusal(st_folder)


def test_a_tokenizer_without_a_padding_token(st_folder):
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        edit(st_folder / name, pad_token=REMOVED)
    assert "has no padding token: set pad_token" in refusal(st_folder)


def test_a_tokenizer_that_cuts_the_beginning_of_texts(st_folder):
    edit(st_folder / "tokenizer_config.json", truncation_side="left")
    assert "texts are cut at their beginning (truncation_side)" in refusal(st_folder)


def test_a_padding_token_that_the_tokenizer_does_not_know(st_folder):
    edit(st_folder / "tokenizer_config.json", pad_token="<nothing>")
    assert "does not know the padding token '<nothing>'" in refusal(st_folder)


def test_a_tokenizer_file_of_another_kind(st_folder):
    write_json(st_folder / "tokenizer.json", {"a": 1})
    assert "tokenizer.json cannot be read" in refusal(st_folder)


@pytest.mark.parametrize("request_", [("tflite", "int4"), ("table", "int8-portable")])
def test_what_cannot_be_written_is_refused_with_what_can(st_folder, tmp_path, request_):
    source = SentenceTransformersSource(st_folder)
    sentence = (
        "choose onnx with one of int8-fast, int8-portable, .* or tflite with one of int8-fast"
    )
    with pytest.raises(ExportError, match=sentence):
        source.build(VariantRequest(*request_), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_architecture_that_optimum_does_not_know(st_folder, tmp_path):
    edit(st_folder / "config.json", model_type="rwkv")
    source = SentenceTransformersSource(st_folder)
    with pytest.raises(ExportError, match="Optimum cannot export the model"):
        source.build(VariantRequest("onnx", "fp32"), tmp_path / "out")


def test_a_backbone_of_another_width_than_the_pooling_says(st_folder, tmp_path):
    write_modules(
        st_folder, 5, [layer_norm(HIDDEN + 1, 1), dense(HIDDEN + 1, 48, "linear.Identity", 2)]
    )
    edit(st_folder / "1_Pooling" / "config.json", word_embedding_dimension=HIDDEN + 1)
    source = SentenceTransformersSource(st_folder)
    with pytest.raises(
        ExportError, match="token vectors have 32 numbers but the Pooling config says 33"
    ):
        source.build(VariantRequest("onnx", "fp32"), tmp_path / "out")


def test_a_missing_extra_is_named_with_its_pip_command(st_folder, monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "optimum" else find(name)
    )
    assert refusal(st_folder) == ("this model needs optimum: run `pip install 'edge-mrl[export]'`")
