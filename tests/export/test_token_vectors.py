"""Token vectors from the export to the device runtime, against sentence-transformers' own token
embeddings and the modules after pooling written out in float64."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge_mrl import Encoder
from edge_mrl.bundle import Bundle
from edge_mrl.bundle.seal import sealed
from edge_mrl.cli.main import main
from edge_mrl.errors import ExportError, InputError, UntrainedDimError
from edge_mrl_export import ExportOptions, export
from edge_mrl_export.gates import TOKEN_GATES, TokenMeasures, missed_tokens
from edge_mrl_export.graphs.tokens import check_token_vectors
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.sources.modules_json import read_layout
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from edge_mrl_export.sources.wordllama import WordLlamaSource
from tests.export.st_models import TEXTS, Session, token_ids, write_json
from tests.export.token_oracle import token_oracle, unit


@pytest.fixture(scope="module")
def oracle(token_model):
    return token_oracle(token_model)


@pytest.mark.parametrize("dim", [8, 16, 48])
def test_each_token_equals_sentence_transformers(token_bundle, oracle, dim):
    found = Encoder.load(token_bundle).encode_tokens(TEXTS, dim=dim, prompt="")
    for ours, theirs in zip(found, oracle(TEXTS, dim), strict=True):
        assert ours.dtype == np.float32
        assert ours.shape == theirs.shape
        assert (ours * theirs).sum(axis=1).min() > 0.99999
        np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)


def test_a_single_text_and_the_size_of_the_encoder(token_bundle):
    encoder = Encoder.load(token_bundle, truncate_dim=16)
    alone = encoder.encode_tokens("zip 3 files")
    assert alone.shape == (encoder.count_tokens(["zip 3 files"])[0], 16)
    np.testing.assert_allclose(alone, encoder.encode_tokens(["zip 3 files", "x"])[0], atol=1e-6)
    assert encoder.encode_tokens([]) == []


def test_prompts_of_queries_and_documents_are_read_and_kept(token_bundle, oracle):
    encoder = Encoder.load(token_bundle, truncate_dim=8)
    asked = encoder.encode_query_with_tokens(["zip"], 16)
    np.testing.assert_allclose(asked.vectors, encoder.encode_query(["zip"]), atol=1e-6)
    np.testing.assert_allclose(asked.tokens[0], oracle(["find: zip"], 16)[0], atol=1e-5)
    kept = encoder.encode_document_with_tokens(["zip", "x"], 48)
    np.testing.assert_allclose(kept.vectors, encoder.encode_document(["zip", "x"]), atol=1e-6)
    np.testing.assert_allclose(kept.tokens[1], oracle(["x"], 48)[0], atol=1e-5)


def test_nothing_is_computed_unless_it_is_asked_for(token_bundle, token_model):
    session = Session(token_bundle / "onnx/fp32.onnx").inner
    feeds = {name: np.ones((2, 5), dtype=np.int64) for name in ("input_ids", "attention_mask")}
    feeds |= {"token_type_ids": np.zeros((2, 5), dtype=np.int64), "dim": np.array([8])}
    sentence, tokens = session.run(["sentence_embedding", "token_embeddings"], feeds)
    assert sentence.shape == (2, 8)
    assert tokens.shape == (2, 0, 8)
    some = session.run(["token_embeddings"], feeds | {"tokens_wanted": np.array([3])})[0]
    assert some.shape == (2, 3, 8)


def test_it_costs_the_file_a_few_nodes(token_bundle, token_model, tmp_path):
    source = SentenceTransformersSource(token_model)
    (built,) = source.build(VariantRequest("onnx", "fp32"), tmp_path)
    without = (tmp_path / built.files[0]).stat().st_size
    assert (token_bundle / "onnx/fp32.onnx").stat().st_size - without < 4000


@pytest.mark.parametrize("precision", ["fp16", "int8-portable", "int8-fast", "int4"])
def test_every_precision_gives_them_near_fp32(token_model, token_bundle, tmp_path, precision):
    source = SentenceTransformersSource(token_model)
    (built,) = source.build(VariantRequest("onnx", precision, token_vectors=True), tmp_path)
    exact = Encoder.load(token_bundle).encode_tokens(["zip 3 files, fast!"], prompt="")[0]
    session = Session(tmp_path / built.files[0], built.session_options).inner
    ids = np.array(token_ids(source.describe().tokenizer, ["zip 3 files, fast!"]))
    feeds = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "token_type_ids": np.zeros_like(ids),
        "dim": np.array([48]),
    }
    feeds = {name: feeds[name] for name in (entry.name for entry in session.get_inputs())}
    feeds["tokens_wanted"] = np.array([ids.shape[1]])
    (found,) = session.run(["token_embeddings"], feeds)
    # A random model is coarse: 4 bits of it are another model, noise would be 0.
    least = {"fp16": 0.9999, "int8-portable": 0.98, "int8-fast": 0.9, "int4": 0.5}[precision]
    assert (found[0] * exact).sum(axis=1).mean() > least
    (text,) = session.run(["sentence_embedding"], feeds)
    del feeds["tokens_wanted"]
    # Whoever wants texts alone leaves it out, and the tokens' arithmetic is empty.
    (alone,) = session.run(["sentence_embedding"], feeds)
    np.testing.assert_array_equal(alone, text)


def test_a_prompt_that_is_not_pooled_has_no_tokens(token_model, few_texts, tmp_path, oracle):
    folder = tmp_path / "model"
    shutil.copytree(token_model, folder)
    pooling = json.loads((folder / "1_Pooling/config.json").read_text())
    write_json(folder / "1_Pooling/config.json", pooling | {"include_prompt": False})
    options = ExportOptions(
        formats=("onnx",), precisions=("fp32",), texts=few_texts, token_vectors=True
    )
    encoder = Encoder.load(export(str(folder), tmp_path / "b", options).path)
    (tokens,) = encoder.encode_query_with_tokens(["zip"], 48).tokens
    (whole,) = oracle(["find: zip"], 48)
    # [CLS] and the prompt's five letters and sign are left out.
    left_out = len(whole) - len(tokens)
    assert left_out == encoder.count_tokens(["find: "])[0] - 1
    np.testing.assert_allclose(tokens, whole[left_out:], atol=1e-5)


def test_a_table_gives_its_rows(few_texts, tmp_path, capsys):
    place = tmp_path / "b"
    command = ["export", "wordllama", "-o", str(place), "--dims", "64", "--token-vectors"]
    assert main([*command, "--texts", str(few_texts), "--json"]) == 0
    for built in json.loads(capsys.readouterr().out)["variants"]:
        assert built["token_vectors"]["cosine"]["64"] > 0.9999
        assert built["token_vectors"]["batch_difference"] < 1e-5
    assert main(["inspect", str(place)]) == 0
    assert "token vectors: table-int8-64 (cosine 0.9999" in capsys.readouterr().out
    table = WordLlamaSource.installed(dims=(64,)).table.astype(np.float64)
    for variant in Bundle.open(place).manifest.variants:
        encoder = Encoder.load(place, variant=variant.name)
        texts = ["", "the heron waits", "東京 🦆"]
        ids = encoder._loaded.tokenizer.encode(texts)
        found = encoder.encode_tokens(texts)
        assert [rows.shape for rows in found] == [(len(line), 64) for line in ids]
        for rows, line in zip(found[1:], ids[1:], strict=True):
            assert (rows * unit(table[line])).sum(axis=1).min() > 0.9999
        assert variant.token_vectors.cosine_mean > 0.9999
        assert variant.token_vectors.threshold == TOKEN_GATES["int8-portable"].cosine


def test_the_manifest_says_how_near_they_are(token_bundle):
    (variant,) = Bundle.open(token_bundle).manifest.variants
    gate = variant.token_vectors
    assert (gate.threshold, gate.missed) == (0.99999, "")
    assert 0.9999 <= gate.cosine_min <= gate.cosine_mean <= 1.00001


def test_a_bundle_without_them_says_so(static_bundle, token_bundle):
    encoder = Encoder.load(static_bundle)
    assert encoder.token_dims == ()
    with pytest.raises(InputError, match="gives no token vectors: export .* --token-vectors"):
        encoder.encode_tokens(["x"])
    with pytest.raises(InputError, match="gives no token vectors: export the model"):
        Encoder.load(static_bundle, token_vectors=True)
    assert Encoder.load(token_bundle, token_vectors=True).variant.name == "onnx-fp32"
    with pytest.raises(UntrainedDimError, match="8, 16, 48"):
        Encoder.load(token_bundle).encode_tokens(["x"], dim=32)
    with pytest.raises(InputError, match="text number 1 is int"):
        Encoder.load(token_bundle).encode_query_with_tokens(["x", 3], 8)


def test_a_variant_that_has_them_is_chosen(token_bundle, tmp_path):
    folder = Path(shutil.copytree(token_bundle, tmp_path / "b"))
    manifest = json.loads((folder / "manifest.json").read_text())
    (variant,) = manifest["variants"]
    manifest["variants"] = [variant | {"name": "first", "token_vectors": None}, variant]
    (folder / "manifest.json").write_bytes(sealed(manifest))
    assert Encoder.load(folder).variant.name == "first"
    for profile in (None, "raspberry-pi-5"):
        encoder = Encoder.load(folder, token_vectors=True, profile=profile)
        assert encoder.variant.name == "onnx-fp32"
    with pytest.raises(InputError, match="variant 'first' .* no token vectors: choose onnx-fp32"):
        Encoder.load(folder, token_vectors=True, variant="first")
    with pytest.raises(InputError, match="variant 'first' .* no token vectors: choose onnx-fp32"):
        Encoder.load(folder).encode_tokens(["x"])


def test_joined_poolings_fit_no_single_token(token_model):
    layout = read_layout(token_model)
    joined = replace(layout, pooling=replace(layout.pooling, modes=("cls", "mean")))
    with pytest.raises(ExportError, match="joins cls and mean"):
        check_token_vectors(joined)


def test_a_gate_names_what_was_missed():
    gate = TOKEN_GATES["int8-fast"]
    good = TokenMeasures({8: 0.99, 16: 0.99}, 0.96, 1e-7)
    assert missed_tokens(good, gate) == ()
    low, token, batch = missed_tokens(TokenMeasures({8: 0.9, 16: 0.99}, 0.1, 0.5), gate)
    assert low.startswith("mean cosine 0.90000 of token vectors at 8 dimensions")
    assert token.startswith("cosine 0.10000 of a token vector")
    assert batch.startswith("token vectors change by 5.0e-01 with their batch")
    assert (
        len(missed_tokens(TokenMeasures({8: float("nan")}, float("nan"), float("nan")), gate)) == 3
    )


def test_the_graph_is_the_same_every_time(token_model, token_bundle, tmp_path):
    source = SentenceTransformersSource(token_model)
    (built,) = source.build(VariantRequest("onnx", "fp32", token_vectors=True), tmp_path)
    assert (tmp_path / built.files[0]).read_bytes() == (
        token_bundle / "onnx/fp32.onnx"
    ).read_bytes()
    model = onnx.load(token_bundle / "onnx/fp32.onnx")
    assert [one.name for one in model.graph.output] == ["sentence_embedding", "token_embeddings"]
