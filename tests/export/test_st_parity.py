"""Exported transformers against sentence-transformers itself, at every slice, on awkward texts."""

import sys

import numpy as np
import onnx
import pytest

from edge_mrl.slices import prefix
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.precision.techniques import ONNX_TECHNIQUES
from edge_mrl_export.sources.modules_json import read_layout
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.st_models import (
    ADAPTER,
    HIDDEN,
    TEXTS,
    Module,
    Session,
    dense,
    layer_norm,
    token_ids,
    write_bert,
    write_modules,
)

FP32 = VariantRequest("onnx", "fp32")


@pytest.fixture(scope="module", params=[5, 6])
def source(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"style{request.param}") / "small"
    write_bert(folder)
    return SentenceTransformersSource(write_modules(folder, request.param))


def build(source, folder, request=FP32):
    (variant,) = source.build(request, folder)
    return folder / variant.files[0], variant


def check_parity(source, path, dims):
    ids = token_ids(source.describe().tokenizer, TEXTS)
    reference = source.reference(TEXTS)
    session = Session(path)
    for dim in dims:
        expected = prefix(reference, dim)
        for vectors in (session.embed(ids, dim), session.embed_alone(ids, dim)):
            assert vectors.dtype == np.float32
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
            assert (vectors * expected).sum(axis=1).min() >= 0.99999
            np.testing.assert_allclose(vectors, expected, atol=5e-6)
    # A check of the check: the texts are not all one vector.
    assert np.min(reference @ reference.T) < 0.9


def test_every_slice_equals_sentence_transformers(source, tmp_path):
    path, variant = build(source, tmp_path)
    assert variant.dims == (8, 16, 48)
    check_parity(source, path, variant.dims)


def test_the_reference_is_what_encode_gives(source, tmp_path_factory):
    from sentence_transformers import SentenceTransformer

    folder = tmp_path_factory.mktemp("plain") / "small"
    write_bert(folder)
    model = SentenceTransformer(str(write_modules(folder, 5)), device="cpu")
    expected = model.encode(list(TEXTS), normalize_embeddings=True)
    np.testing.assert_allclose(source.reference(TEXTS), expected, atol=1e-6)


def test_the_graph_has_the_documented_inputs_and_output_and_no_path_of_this_machine(
    source, tmp_path
):
    path, _ = build(source, tmp_path)
    graph = onnx.load(path).graph
    names = [value.name for value in graph.input]
    assert names == ["input_ids", "attention_mask", "token_type_ids", "dim"]
    assert [value.name for value in graph.output] == ["sentence_embedding"]
    data = path.read_bytes()
    assert sys.prefix.encode() not in data and b"site-packages" not in data and b"/tmp" not in data


def test_two_exports_give_the_same_bytes(source, tmp_path):
    again = SentenceTransformersSource(source._folder)
    for request in (VariantRequest("onnx", precision) for precision in ONNX_TECHNIQUES):
        first, _ = build(source, tmp_path / "first", request)
        second, _ = build(again, tmp_path / "second", request)
        assert first.read_bytes() == second.read_bytes()


def test_the_layouts_of_5_and_6_are_one_model(tmp_path):
    descriptions = []
    for style in (5, 6):
        folder = tmp_path / str(style) / "small"
        write_bert(folder)
        descriptions.append(SentenceTransformersSource(write_modules(folder, style)).describe())
    assert descriptions[0] == descriptions[1]
    assert len(descriptions[0].identity) == 64


def identity_of(folder, **modules):
    write_bert(folder)
    return SentenceTransformersSource(write_modules(folder, 5, **modules)).describe().identity


def test_the_identity_follows_weights_activation_and_length(tmp_path):
    identities = {
        identity_of(tmp_path / "same"),
        identity_of(
            tmp_path / "weights", tail=(dense(HIDDEN, 64, "activation.GELU", 99), *ADAPTER[1:])
        ),
        identity_of(
            tmp_path / "activation", tail=(dense(HIDDEN, 64, "activation.Tanh", 1), *ADAPTER[1:])
        ),
        identity_of(tmp_path / "length", transformer={"max_seq_length": 31}),
        identity_of(tmp_path / "order", tail=(Module("Normalize"), *ADAPTER)),
    }
    assert len(identities) == 5
    assert identity_of(tmp_path / "dims", dims=(4,)) in identities


def test_shards_have_the_identity_of_one_file(tmp_path):
    from transformers import BertModel

    whole = identity_of(tmp_path / "whole")
    folder = tmp_path / "shards"
    identity_of(folder)
    model = BertModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="40KB")
    assert (folder / "model.safetensors.index.json").is_file()
    assert SentenceTransformersSource(folder).describe().identity == whole


def test_a_folder_that_the_installed_library_wrote_is_read(tmp_path):
    from sentence_transformers import SentenceTransformer

    write_bert(tmp_path / "own")
    write_modules(tmp_path / "own", 5, [layer_norm(HIDDEN, 3), *ADAPTER])
    model = SentenceTransformer(str(tmp_path / "own"), device="cpu")
    model.save(str(tmp_path / "saved"), create_model_card=False)
    source = SentenceTransformersSource(tmp_path / "saved", dims=(8, 48))
    kinds = [type(module).__name__ for module in read_layout(tmp_path / "saved").tail]
    assert kinds == ["LayerNormModule", "DenseModule", "DenseModule", "NormalizeModule"]
    path, variant = build(source, tmp_path)
    assert source.describe().tokenizer.max_tokens == 32
    check_parity(source, path, variant.dims)


def test_lower_casing_of_the_folder_reaches_the_tokenizer(tmp_path):
    import json

    write_bert(tmp_path)
    settings = tmp_path / "tokenizer_config.json"
    cased = json.loads(settings.read_text()) | {"do_lower_case": False}
    settings.write_text(json.dumps(cased))
    tokenizer = json.loads((tmp_path / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = False
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    for lower, same in ((False, False), (True, True)):
        write_modules(tmp_path, 5, transformer={"max_seq_length": 32, "do_lower_case": lower})
        source = SentenceTransformersSource(tmp_path)
        small, large = token_ids(source.describe().tokenizer, ["heron", "HERON"])
        assert (small == large) is same
        vectors = source.reference(["heron", "HERON"])
        assert np.allclose(vectors[0], vectors[1], atol=1e-6) is same


def test_a_source_is_light_until_it_is_asked_to_work(source):
    import os
    import subprocess

    code = (
        "import sys; from pathlib import Path;"
        "from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource as S;"
        f"S(Path({str(source._folder)!r}));"
        "print([m for m in ('torch', 'onnx', 'onnxruntime', 'transformers') if m in sys.modules])"
    )
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.stdout.strip() == "[]"
