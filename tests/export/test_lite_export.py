"""Whole exports to TFLite of a small model, against sentence-transformers, through the runtime."""

import importlib.util

import numpy as np
import pytest

from edge_mrl import Encoder
from edge_mrl.bundle import Bundle
from edge_mrl.errors import ExportError
from edge_mrl.slices import prefix
from edge_mrl_export import export
from edge_mrl_export.golden_texts import GOLDEN_TEXTS
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.options import ExportOptions
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.conftest import LENGTHS
from tests.export.st_models import HIDDEN, TEXTS, VOCABULARY

needs_converter = pytest.mark.skipif(
    importlib.util.find_spec("litert_torch") is None, reason="litert-torch is not installed here"
)


@needs_converter
def test_every_precision_passes_its_gate_and_names_its_engines(lite_report):
    assert [variant.passed for variant in lite_report.variants] == [True] * 4
    old = {v.precision: "tflite-runtime" in v.engines for v in lite_report.manifest.variants}
    assert old == {"fp32": True, "fp16": True, "int8-fast": False, "int8-portable": True}
    assert all("ai-edge-litert" in variant.engines for variant in lite_report.manifest.variants)
    assert {variant.max_tokens for variant in lite_report.manifest.variants} == {16}
    assert {variant.sequence_lengths for variant in lite_report.manifest.variants} == {LENGTHS}
    assert "litert-torch" in lite_report.manifest.tools


@needs_converter
def test_signatures_share_scales_and_only_ends_are_named(lite_report):
    from ai_edge_litert import schema_py_generated as schema

    file = lite_report.path / "tflite" / "int8-fast.tflite"
    model = schema.Model.GetRootAs(file.read_bytes(), 0)
    graphs = [model.Subgraphs(number) for number in range(model.SubgraphsLength())]
    assert len(graphs) == len(LENGTHS) + 1
    places = []
    for graph in graphs:
        tensors = [graph.Tensors(number) for number in range(graph.TensorsLength())]
        ends = {*graph.InputsAsNumpy(), *graph.OutputsAsNumpy()}
        assert {number for number, tensor in enumerate(tensors) if tensor.Name()} == ends
        tables = [tensor.Quantization() for tensor in tensors]
        places.append({table._tab.Pos for table in tables if table and table.ScaleLength() > 1})
    assert places[0] and places[0] == places[1] == places[2]
    # The modules after pooling by themselves, for tokens.
    assert places[3] and places[3] < places[0]


@needs_converter
@pytest.mark.parametrize("precision", ["int8-fast", "int8-portable"])
def test_every_table_is_stored_once_and_read_by_rows(lite_report, precision):
    """The words' and the positions': no signature has its own, none becomes float32 as a whole."""
    from ai_edge_litert import schema_py_generated as schema

    from edge_mrl_export.lite.flatbuffer import code_of, parse

    content = parse((lite_report.path / "tflite" / f"{precision}.tflite").read_bytes())
    gather, lookup, dequantize = (
        getattr(schema.BuiltinOperator, name)
        for name in ("GATHER", "EMBEDDING_LOOKUP", "DEQUANTIZE")
    )
    words, positions = (len(VOCABULARY), HIDDEN), (1, max(LENGTHS), HIDDEN)
    stored = {words: set(), positions: set()}
    for graph in content.subgraphs:
        for tensor in graph.tensors:
            shape = tuple(tensor.shape) if tensor.shape is not None else ()
            if shape in stored and tensor.type == schema.TensorType.INT8 and tensor.buffer:
                stored[shape].add(tensor.buffer)
        steps = [(code_of(content.operatorCodes[s.opcodeIndex]), s) for s in graph.operators]
        codes = [code for code, _ in steps]
        assert lookup not in codes
        assert codes.count(gather) == (2 if len(graph.inputs) > 1 else 0)
        whole = [graph.tensors[step.outputs[0]].shape for code, step in steps if code == dequantize]
        assert words not in {tuple(shape) for shape in whole}
    assert {shape: len(buffers) for shape, buffers in stored.items()} == {words: 1, positions: 1}
    for shape in stored:
        (number,) = stored[shape]
        assert len(content.buffers[number].data) == np.prod(shape)


def test_the_compact_file_gives_the_same_numbers(tmp_path):
    """Written anew from a file of another origin: every output bit for bit."""
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    from edge_mrl_export.lite.compact import compact
    from edge_mrl_export.lite.flatbuffer import parse
    from edge_mrl_export.lite.static import static_tflite

    random = np.random.default_rng(0)
    codes = random.integers(-127, 128, (50, 8), dtype=np.int8)
    before = static_tflite(codes, random.random(50, dtype=np.float32))
    feeds = {
        "input_ids": np.array([[3, 7, 49]], dtype=np.int32),
        "attention_mask": np.array([[1, 1, 0]], dtype=np.int32),
    }
    found = []
    again = compact(parse(before))
    for content in (before, again, compact(parse(again))):
        runner = interpreter.Interpreter(model_content=content).get_signature_runner("tokens")
        found.append(runner(**feeds)["sentence_embedding"])
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    assert compact(parse(again)) == again


@needs_converter
@pytest.mark.parametrize("dim", [8, 16, 48])
def test_float32_equals_sentence_transformers_at_every_slice(lite_report, lite_model, dim):
    encoder = Encoder.load(lite_report.path, variant="tflite-fp32", truncate_dim=dim)
    texts = [*TEXTS, *GOLDEN_TEXTS, "ab", "abcdef", "a b c d e f g h i j k l m"]
    whole = encoder.reads_whole(texts)
    assert {True, False} == set(whole)
    reference = prefix(SentenceTransformersSource(lite_model).reference(texts), dim)
    vectors = encoder.encode(texts, prompt="")
    np.testing.assert_allclose(vectors[whole], reference[whole], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@needs_converter
def test_a_prompt_left_out_of_pooling_equals_sentence_transformers(lite_report, lite_model):
    from sentence_transformers import SentenceTransformer

    encoder = Encoder.load(lite_report.path, variant="tflite-fp32")
    texts = ["zip 3", "東京の天気", "e"]
    library = SentenceTransformer(str(lite_model), device="cpu")
    for vectors, prompt in (
        (encoder.encode_query(texts), "find: "),
        (encoder.encode(texts, prompt="a b "), "a b "),
        (encoder.encode_document(texts), None),
    ):
        expected = library.encode(texts, prompt=prompt, normalize_embeddings=True)
        np.testing.assert_allclose(vectors, expected, atol=1e-5)


@needs_converter
def test_a_longer_text_is_cut_as_the_tokenizer_cuts(lite_report):
    """The words after the limit do not matter, and the closing special token stays."""
    encoder = Encoder.load(lite_report.path, variant="tflite-fp32")
    fourteen = "a b c d e f g h i j k l m n"
    assert encoder.reads_whole(["a b", fourteen, fourteen + " o"]) == [True, False, False]
    np.testing.assert_array_equal(
        encoder.encode(fourteen + " o p q"), encoder.encode(fourteen + " z")
    )
    np.testing.assert_allclose(encoder.encode(fourteen + " z"), encoder.encode(fourteen), atol=1e-6)


@needs_converter
def test_two_exports_give_the_same_bytes(lite_report, lite_model, tmp_path):
    again = SentenceTransformersSource(lite_model, sequence_lengths=LENGTHS)
    # What is quantised was converted as fp32 is.
    (variant,) = again.build(VariantRequest("tflite", "int8-fast", token_vectors=True), tmp_path)
    for file in variant.files:
        assert (tmp_path / file).read_bytes() == (lite_report.path / file).read_bytes()


@needs_converter
def test_a_model_that_cannot_be_converted_is_one_sentence(lite_model, tmp_path, monkeypatch):
    source = SentenceTransformersSource(lite_model)
    monkeypatch.setattr("edge_mrl_export.lite.process.WORKER", "edge_mrl_export.lite.no_worker")
    with pytest.raises(ExportError, match="litert-torch cannot convert the model in .*no_worker"):
        source.build(VariantRequest("tflite", "fp32"), tmp_path)


@pytest.fixture
def without_converter(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "litert_torch" else real(name, *rest),
    )


def test_without_the_converter_the_default_is_onnx_and_says_how_to_get_more(
    lite_model, without_converter
):
    source = SentenceTransformersSource(lite_model)
    assert {request.format for request in source.default_requests()} == {"onnx"}
    (gap,) = source.default_gaps()
    assert (gap.format, gap.precision) == ("tflite", None)
    assert "pip install 'edge-mrl[export]'" in gap.why
    with pytest.raises(ExportError, match=r"litert_torch: run `pip install 'edge-mrl\[export\]'`"):
        source.build(VariantRequest("tflite", "fp32"), lite_model)


@needs_converter
def test_with_the_converter_tflite_comes_first(lite_model):
    source = SentenceTransformersSource(lite_model)
    assert source.default_gaps() == ()
    assert [(r.format, r.precision) for r in source.default_requests()] == [
        ("tflite", "int8-fast"),
        ("onnx", "int8-fast"),
        ("onnx", "int8-portable"),
        ("onnx", "fp32"),
    ]


def test_a_static_table_as_tflite(few_texts, tmp_path):
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed here")
    pytest.importorskip("wordllama")
    options = ExportOptions(
        formats=("table", "tflite"), dims=(64,), texts=few_texts, token_vectors=True
    )
    manifest = export("wordllama", tmp_path / "b", options).manifest
    table, variant = manifest.variants
    assert variant.name == "tflite-int8-portable"
    assert variant.gate.cosine_mean >= 0.9999
    assert variant.engines == ("ai-edge-litert", "tflite-runtime")
    assert Bundle.open(tmp_path / "b").size(variant) < 5_000_000
    assert variant.token_vectors.cosine_min >= 0.999
    texts = ["", "the heron waits", "東京 🦆" * 30]
    found = [Encoder.load(tmp_path / "b", variant=one.name) for one in (table, variant)]
    for ours, theirs in zip(*(encoder.encode_tokens(texts) for encoder in found), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
