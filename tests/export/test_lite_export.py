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
from tests.export.st_models import HIDDEN, TEXTS, VOCABULARY, write_bert, write_modules

needs_converter = pytest.mark.skipif(
    importlib.util.find_spec("litert_torch") is None, reason="litert-torch is not installed here"
)
LENGTHS = (4, 8, 16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "small"
    write_bert(folder)
    # Its prompts are left out of pooling, so every file takes a third input.
    return write_modules(folder, 5, include_prompt=False)


@pytest.fixture(scope="module")
def report(folder, few_texts, tmp_path_factory):
    """An export whose longest signature is shorter than the model reads (32)."""
    options = ExportOptions(
        formats=("tflite",),
        precisions=("fp32", "fp16", "int8-fast", "int8-portable"),
        sequence_lengths=LENGTHS,
        texts=few_texts,
    )
    return export(str(folder), tmp_path_factory.mktemp("lite") / "bundle", options)


@needs_converter
def test_every_precision_passes_its_gate_and_names_its_engines(report):
    assert [variant.passed for variant in report.variants] == [True] * 4
    old = {v.precision: "tflite-runtime" in v.engines for v in report.manifest.variants}
    assert old == {"fp32": True, "fp16": True, "int8-fast": False, "int8-portable": True}
    assert all("ai-edge-litert" in variant.engines for variant in report.manifest.variants)
    assert {variant.max_tokens for variant in report.manifest.variants} == {16}
    assert {variant.sequence_lengths for variant in report.manifest.variants} == {LENGTHS}
    assert "litert-torch" in report.manifest.tools


@needs_converter
def test_signatures_share_scales_and_only_ends_are_named(report):
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs((report.path / "tflite" / "int8-fast.tflite").read_bytes(), 0)
    graphs = [model.Subgraphs(number) for number in range(model.SubgraphsLength())]
    assert len(graphs) == len(LENGTHS)
    places = []
    for graph in graphs:
        tensors = [graph.Tensors(number) for number in range(graph.TensorsLength())]
        ends = {*graph.InputsAsNumpy(), *graph.OutputsAsNumpy()}
        assert {number for number, tensor in enumerate(tensors) if tensor.Name()} == ends
        tables = [tensor.Quantization() for tensor in tensors]
        places.append({table._tab.Pos for table in tables if table and table.ScaleLength() > 1})
    assert places[0] and places[0] == places[1] == places[2]


@needs_converter
@pytest.mark.parametrize("precision", ["int8-fast", "int8-portable"])
def test_every_table_is_stored_once_and_read_by_rows(report, precision):
    """The words' and the positions': no signature has its own, none becomes float32 as a whole."""
    from ai_edge_litert import schema_py_generated as schema

    from edge_mrl_export.lite.flatbuffer import code_of, parse

    content = parse((report.path / "tflite" / f"{precision}.tflite").read_bytes())
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
        assert lookup not in codes and codes.count(gather) == 2
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
def test_float32_equals_sentence_transformers_at_every_slice(report, folder, dim):
    encoder = Encoder.load(report.path, variant="tflite-fp32", truncate_dim=dim)
    texts = [*TEXTS, *GOLDEN_TEXTS, "ab", "abcdef", "a b c d e f g h i j k l m"]
    whole = encoder.reads_whole(texts)
    assert {True, False} == set(whole)
    reference = prefix(SentenceTransformersSource(folder).reference(texts), dim)
    vectors = encoder.encode(texts, prompt="")
    np.testing.assert_allclose(vectors[whole], reference[whole], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@needs_converter
def test_a_prompt_left_out_of_pooling_equals_sentence_transformers(report, folder):
    from sentence_transformers import SentenceTransformer

    encoder = Encoder.load(report.path, variant="tflite-fp32")
    texts = ["zip 3", "東京の天気", "e"]
    library = SentenceTransformer(str(folder), device="cpu")
    for vectors, prompt in (
        (encoder.encode_query(texts), "find: "),
        (encoder.encode(texts, prompt="a b "), "a b "),
        (encoder.encode_document(texts), None),
    ):
        expected = library.encode(texts, prompt=prompt, normalize_embeddings=True)
        np.testing.assert_allclose(vectors, expected, atol=1e-5)


@needs_converter
def test_a_longer_text_is_cut_as_the_tokenizer_cuts(report):
    """The words after the limit do not matter, and the closing special token stays."""
    encoder = Encoder.load(report.path, variant="tflite-fp32")
    fourteen = "a b c d e f g h i j k l m n"
    assert encoder.reads_whole(["a b", fourteen, fourteen + " o"]) == [True, False, False]
    np.testing.assert_array_equal(
        encoder.encode(fourteen + " o p q"), encoder.encode(fourteen + " z")
    )
    np.testing.assert_allclose(encoder.encode(fourteen + " z"), encoder.encode(fourteen), atol=1e-6)


@needs_converter
def test_two_exports_give_the_same_bytes(report, folder, tmp_path):
    again = SentenceTransformersSource(folder, sequence_lengths=LENGTHS)
    # What is quantised was converted as fp32 is.
    (variant,) = again.build(VariantRequest("tflite", "int8-fast"), tmp_path)
    for file in variant.files:
        assert (tmp_path / file).read_bytes() == (report.path / file).read_bytes()


@needs_converter
def test_a_model_that_cannot_be_converted_is_one_sentence(folder, tmp_path, monkeypatch):
    source = SentenceTransformersSource(folder)
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
    folder, without_converter
):
    source = SentenceTransformersSource(folder)
    assert {request.format for request in source.default_requests()} == {"onnx"}
    assert "pip install 'edge-mrl[export]'" in source.default_note()
    with pytest.raises(ExportError, match=r"litert_torch: run `pip install 'edge-mrl\[export\]'`"):
        source.build(VariantRequest("tflite", "fp32"), folder)


@needs_converter
def test_with_the_converter_tflite_comes_first(folder):
    source = SentenceTransformersSource(folder)
    assert source.default_note() is None
    assert [(r.format, r.precision) for r in source.default_requests()] == [
        ("tflite", "int8-fast"),
        ("onnx", "int8-fast"),
        ("onnx", "int8-portable"),
        ("onnx", "fp32"),
    ]


def test_a_static_table_as_tflite(few_texts, tmp_path):
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed here")
    pytest.importorskip("wordllama")
    options = ExportOptions(formats=("tflite",), texts=few_texts)
    manifest = export("wordllama", tmp_path / "b", options).manifest
    (variant,) = manifest.variants
    assert variant.name == "tflite-int8-portable"
    assert variant.gate.cosine_mean >= 0.9999
    assert variant.engines == ("ai-edge-litert", "tflite-runtime")
    assert Bundle.open(tmp_path / "b").size(variant) < 11_000_000
