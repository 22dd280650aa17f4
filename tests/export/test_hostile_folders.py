"""Model folders that somebody made to do harm, or that fell to pieces: each is read, or refused in
one sentence."""

import json
import os
import shutil
import struct

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from edge_mrl.errors import EdgeMrlError, ExportError
from edge_mrl_export import ExportOptions
from edge_mrl_export.sources import open_source
from edge_mrl_export.sources.safetensors_file import count_weights, digest, read_numpy
from tests.export.st_models import write_bert, write_json, write_modules
from tests.export.static_models import write_model2vec, write_static_embedding

TRANSFORMER_FILES = (
    "modules.json",
    "config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "mrl.json",
    "1_Pooling/config.json",
    "2_Dense/config.json",
    "4_Normalize/config.json",
    "model.safetensors.index.json",
)
STATIC_FILES = (
    "modules.json",
    "config_sentence_transformers.json",
    "mrl.json",
    "0_StaticEmbedding/tokenizer.json",
)
MODEL2VEC_FILES = ("config.json", "tokenizer.json", "modules.json")

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=True)
    | st.sampled_from(["", "..", "../x", "/etc", ".", "a\0b", "\ud800", "x" * 5000, "lasttoken"])
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    write_bert(root / "transformer")
    write_modules(root / "transformer", 6)
    # Weights come from an index of shards where one stands.
    write_static_embedding(root / "static")
    write_model2vec(root / "model2vec")
    return root


@pytest.fixture(scope="module")
def workplace(folders, tmp_path_factory):
    """A copy of every folder, whose files are put back after each example."""
    return shutil.copytree(folders, tmp_path_factory.mktemp("work") / "m")


def places(value, path=()):
    """The way to every value inside a JSON document, itself included; long lists in part."""
    yield path
    if isinstance(value, dict):
        items = list(value.items())[:40]
    elif isinstance(value, list):
        items = list(enumerate(value))[:4]
    else:
        items = []
    for key, inner in items:
        yield from places(inner, (*path, key))


def replaced(document, path, value, *, removed):
    if not path:
        return value
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    if removed:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return document


def reads_or_refuses(folder, dims=(8,)):
    try:
        open_source(str(folder), ExportOptions(dims=dims)).describe()
    except EdgeMrlError as error:
        assert len(str(error)) < 3000


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("transformer", TRANSFORMER_FILES),
        ("static", STATIC_FILES),
        ("model2vec", MODEL2VEC_FILES),
    ],
)
@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_one_wrong_value_in_any_file(folders, workplace, kind, files, data):
    name = data.draw(st.sampled_from(files))
    path = workplace / kind / name
    original = folders / kind / name
    document = json.loads(original.read_text()) if original.is_file() else {"weight_map": {"a": ""}}
    place = data.draw(st.sampled_from(list(places(document))))
    value = data.draw(values)
    removed = data.draw(st.booleans())
    weights = workplace / kind / "model.safetensors"
    aside = weights.with_name("aside")
    if name == "model.safetensors.index.json":
        weights.rename(aside)
    try:
        write_json(path, replaced(document, place, value, removed=removed))
        reads_or_refuses(workplace / kind, data.draw(st.sampled_from([None, (8,)])))
    finally:
        if aside.is_file():
            aside.rename(weights)
        if original.is_file():
            shutil.copyfile(original, path)
        else:
            path.unlink()


def safetensors(header, data=b"\0" * 64, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


TENSOR = {"dtype": "F32", "shape": [2, 8], "data_offsets": [0, 64]}
DAMAGED = [
    safetensors({"embeddings": TENSOR}, length=2**63),
    safetensors({"embeddings": TENSOR}, length=2**40),
    safetensors({"embeddings": TENSOR | {"shape": [2**40, 2**20]}}),
    safetensors({"embeddings": TENSOR | {"shape": [2**63, 2]}}),
    safetensors({"embeddings": TENSOR | {"shape": [-2, -8]}}),
    safetensors({"embeddings": TENSOR | {"data_offsets": [0, 2**60]}}),
    safetensors({"embeddings": TENSOR | {"data_offsets": [64, 0]}}),
    safetensors({"embeddings": TENSOR, "other": TENSOR}),
    safetensors({"embeddings": TENSOR | {"dtype": "object"}}),
    safetensors({"embeddings": "pickle"}),
    safetensors(b"[" * 100_000),
    safetensors(b"{}"),
    safetensors(b""),
    b"",
    b"\x80\x04\x95",
]


@pytest.mark.parametrize("number", range(len(DAMAGED)))
def test_damaged_weights(folders, tmp_path, number):
    folder = shutil.copytree(folders / "model2vec", tmp_path / "m")
    (folder / "model.safetensors").write_bytes(DAMAGED[number])
    with pytest.raises(ExportError):
        open_source(str(folder), ExportOptions(dims=(8,)))


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_header_of_a_weights_file(tmp_path_factory, data):
    header = json.loads(json.dumps({"embeddings": TENSOR}))
    place = data.draw(st.sampled_from(list(places(header))))
    changed = replaced(header, place, data.draw(values), removed=False)
    try:
        text = json.dumps(changed).encode()
    except ValueError:
        assume(False)
    file = tmp_path_factory.getbasetemp() / "any.safetensors"
    file.write_bytes(safetensors(text))
    for read in (count_weights, digest, lambda files: read_numpy(files, ("embeddings",))):
        try:
            read((file,))
        except ExportError as error:
            assert "any.safetensors" in str(error)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        *((place, "points outside") for place in ("../static", "/etc", "a/../../static", "..")),
        ("a\u202eb", "points outside"),
        ("a\0b", "holds the control character"),
        ("\ud800", "holds the control character"),
        ("é" * 128, "a folder of 128 characters"),
    ],
)
def test_a_module_s_place_stays_inside_the_folder(folders, tmp_path, place, said):
    folder = shutil.copytree(folders / "static", tmp_path / "m")
    entries = json.loads((folder / "modules.json").read_text())
    entries[0]["path"] = place
    write_json(folder / "modules.json", entries)
    with pytest.raises(ExportError, match=said):
        open_source(str(folder), ExportOptions())


@pytest.mark.parametrize("shard", ["../static/model.safetensors", "/etc/passwd", "a/b", "", "."])
def test_a_shard_stays_inside_the_folder(folders, tmp_path, shard):
    folder = shutil.copytree(folders / "transformer", tmp_path / "m")
    (folder / "model.safetensors").unlink()
    write_json(folder / "model.safetensors.index.json", {"weight_map": {"a": shard}})
    with pytest.raises(ExportError, match="is missing: the model folder is not whole"):
        open_source(str(folder), ExportOptions())


def dangling(path):
    path.symlink_to(path.with_name("nowhere"))


def in_a_circle(path):
    path.symlink_to(path)


def a_pipe(path):
    os.mkfifo(path)


def a_device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [dangling, in_a_circle, a_pipe, a_device, os.mkdir])
@pytest.mark.parametrize(
    "name", ["config.json", "1_Pooling/config.json", "tokenizer.json", "model.safetensors"]
)
def test_what_is_no_file_is_missing_and_never_waited_for(folders, tmp_path, name, make):
    folder = shutil.copytree(folders / "transformer", tmp_path / "m")
    (folder / name).unlink()
    make(folder / name)
    with pytest.raises(ExportError, match="is missing"):
        open_source(str(folder), ExportOptions())


def test_a_settings_file_of_gigabytes_is_not_read(folders, tmp_path):
    folder = shutil.copytree(folders / "static", tmp_path / "m")
    with (folder / "modules.json").open("r+b") as stream:
        stream.truncate(2**33)
    with pytest.raises(ExportError, match=r"modules\.json is larger than"):
        open_source(str(folder), ExportOptions())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_hidden_layers", 10**6),
        ("num_hidden_layers", 2**70),
        ("hidden_act", 0.5),
        ("hidden_size", "32"),
        ("num_attention_heads", 5),
        ("vocab_size", 2),
        ("layer_norm_eps", ""),
        ("model_type", "xlnet"),
        ("model_type", ["bert"]),
        ("quantization_config", {"a": 1}),
        ("chunk_size_feed_forward", 1e308),
    ],
)
def test_a_wrong_value_that_only_torch_finds_is_one_sentence_too(folders, tmp_path, field, value):
    folder = shutil.copytree(folders / "transformer", tmp_path / "m")
    config = json.loads((folder / "config.json").read_text()) | {field: value}
    write_json(folder / "config.json", config)
    with pytest.raises(ExportError, match=str(folder)):
        open_source(str(folder), ExportOptions()).reference(["a heron"])
