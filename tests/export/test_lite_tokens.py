"""Token vectors of TFLite files: against sentence-transformers, ONNX, and what an index makes of
them."""

import json
import shutil

import numpy as np
import pytest

from edge_mrl import Encoder, Index, Prefetch
from edge_mrl.bundle import Bundle
from edge_mrl.bundle.seal import sealed
from edge_mrl.cli.main import main
from edge_mrl.errors import BundleError, SelfTestError
from edge_mrl_export import ExportOptions, export
from edge_mrl_export.gates import TOKEN_GATES
from edge_mrl_export.lite.flatbuffer import aligned_buffer, parse, serialize
from edge_mrl_export.writer import list_files, write_manifest
from tests.export.conftest import LENGTHS
from tests.export.st_models import HIDDEN
from tests.export.token_oracle import token_oracle

TEXTS = ("zip 3 files", "東京の天気", "e", "the heron wai", "🦆 emoji, fast!")
"""Of fewer tokens than the longest signature has."""
PRECISIONS = ("fp32", "fp16", "int8-portable", "int8-fast")


@pytest.fixture(scope="module")
def oracle(lite_model):
    return token_oracle(lite_model)


@pytest.mark.parametrize("dim", [8, 16, 48])
def test_each_token_equals_sentence_transformers(lite_report, oracle, dim):
    encoder = Encoder.load(lite_report.path, variant="tflite-fp32")
    assert all(encoder.reads_whole(TEXTS))
    found = encoder.encode_tokens(TEXTS, dim=dim, prompt="")
    for ours, theirs in zip(found, oracle(TEXTS, dim), strict=True):
        assert ours.dtype == np.float32
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_both_kinds_of_vectors_come_from_one_run(lite_report, oracle):
    encoder = Encoder.load(lite_report.path, variant="tflite-fp32", truncate_dim=16)
    found = encoder.encode_document_with_tokens(["", *TEXTS], 8)
    np.testing.assert_array_equal(found.vectors, encoder.encode_document(["", *TEXTS]))
    for ours, theirs in zip(found.tokens, oracle(["", *TEXTS], 8), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    assert encoder.encode_tokens([]) == []


def test_a_prompt_that_is_not_pooled_has_no_tokens(lite_report, oracle):
    encoder = Encoder.load(lite_report.path, variant="tflite-fp32")
    (tokens,) = encoder.encode_query_with_tokens(["zip"], 48).tokens
    (whole,) = oracle(["find: zip"], 48)
    left_out = encoder.count_tokens(["find: "])[0] - 1
    assert len(tokens) == len(whole) - left_out
    np.testing.assert_allclose(tokens, whole[left_out:], atol=2e-5)


def test_a_longer_text_is_cut_as_its_vector_is(lite_report):
    encoder = Encoder.load(lite_report.path, variant="tflite-fp32")
    fourteen = "a b c d e f g h i j k l m n"
    long, longer = encoder.encode_tokens([fourteen + " o p q", fourteen + " z"])
    assert len(long) == max(LENGTHS)
    np.testing.assert_array_equal(long, longer)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_is_measured_and_stays_near_fp32(lite_report, precision):
    (report,) = (one for one in lite_report.variants if one.precision == precision)
    variant = Bundle.open(lite_report.path).manifest.variant(f"tflite-{precision}")
    gate = TOKEN_GATES[precision]
    assert report.tokens.difference == 0
    assert variant.token_vectors.threshold == gate.cosine
    assert variant.token_vectors.cosine_mean == round(min(report.tokens.cosine.values()), 6)
    # A random model is coarse, yet all of it passes.
    assert variant.token_vectors.cosine_mean >= gate.cosine
    exact = Encoder.load(lite_report.path, variant="tflite-fp32").encode_tokens(TEXTS)
    ours = Encoder.load(lite_report.path, variant=variant.name).encode_tokens(TEXTS)
    cosines = np.concatenate([(a * b).sum(axis=1) for a, b in zip(ours, exact, strict=True)])
    assert cosines.min() >= gate.lowest


def test_people_are_told(lite_report, capsys):
    assert main(["inspect", str(lite_report.path)]) == 0
    assert "token vectors: tflite-fp32 (cosine 1.0" in capsys.readouterr().out
    assert "tflite-int8-fast" in (lite_report.path / "report.html").read_text()
    assert main(["verify", str(lite_report.path)]) == 0


@pytest.fixture(scope="module")
def onnx_bundle(lite_model, few_texts, tmp_path_factory):
    options = ExportOptions(
        formats=("onnx",), precisions=("fp32",), texts=few_texts, token_vectors=True
    )
    return export(str(lite_model), tmp_path_factory.mktemp("onnx") / "bundle", options).path


def test_an_index_gives_the_hits_that_onnx_gives(lite_report, onnx_bundle, tmp_path):
    texts = [f"{n * 37 % 101} reed {n % 7}" for n in range(30)]
    found = []
    for bundle, variant in ((lite_report.path, "tflite-fp32"), (onnx_bundle, "onnx-fp32")):
        encoder = Encoder.load(bundle, variant=variant, token_vectors=True)
        with Index.open(tmp_path / f"{variant}.db", encoder) as index:
            index.create_token_index(slice=(48, 32))
            index.add(texts)
            shortlist = Prefetch(using="dense", limit=30)
            found.append(index.query("3 7", prefetch=shortlist, using="tokens", limit=10).hits)
    lite, onnx = found
    assert [hit.id for hit in lite] == [hit.id for hit in onnx]
    np.testing.assert_allclose([h.score for h in lite], [h.score for h in onnx], atol=1e-4)
    assert lite[0].score > lite[-1].score + 0.01


def changed(bundle, folder, change):
    """A copy whose fp32 file was changed, with hashes that agree."""
    shutil.copytree(bundle, folder)
    path = folder / "tflite/fp32.tflite"
    content = parse(path.read_bytes())
    change(content)
    path.write_bytes(serialize(content, 2**20))
    manifest = Bundle.open(folder).manifest
    (folder / "manifest.json").unlink()
    write_manifest(folder, manifest._replace(files=list_files(folder)))
    return folder


def test_noise_in_what_only_tokens_pass_is_caught(lite_report, tmp_path):
    def turn_round(content):
        """The matrices that tokens pass, not those that texts pass, are read backwards."""
        (signature,) = (s for s in content.signatureDefs if s.signatureKey == b"after_pooling")
        graph = content.subgraphs[signature.subgraphIndex]
        for tensor in graph.tensors:
            data = content.buffers[tensor.buffer].data
            if data is not None and tuple(tensor.shape) in ((64, HIDDEN), (48, 64)):
                backwards = np.frombuffer(bytes(data), dtype=np.float32)[::-1]
                content.buffers.append(aligned_buffer(schema, backwards.tobytes()))
                tensor.buffer = len(content.buffers) - 1

    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    folder = changed(lite_report.path, tmp_path / "b", turn_round)
    encoder = Encoder.load(folder, variant="tflite-fp32")
    assert encoder.encode("the heron").shape == (48,)
    with pytest.raises(SelfTestError, match="'tflite-fp32' gives wrong token vectors here"):
        encoder.encode_tokens("the heron")
    with pytest.raises(SelfTestError, match="wrong token vectors"):
        Encoder.load(folder, variant="tflite-fp32", token_vectors=True)


def test_a_file_without_what_the_manifest_promises_is_refused(lite_report, tmp_path):
    def drop(content):
        content.signatureDefs = [
            one for one in content.signatureDefs if one.signatureKey != b"after_pooling"
        ]

    folder = changed(lite_report.path, tmp_path / "b", drop)
    with pytest.raises(BundleError, match="does not give token vectors of 48 numbers"):
        Encoder.load(folder, variant="tflite-fp32")
    manifest = json.loads((folder / "manifest.json").read_text())
    for variant in manifest["variants"]:
        variant["token_vectors"] = None
    (folder / "manifest.json").write_bytes(sealed(manifest))
    assert Encoder.load(folder, variant="tflite-fp32").token_dims == ()
