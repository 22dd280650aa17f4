"""A large model: what fits a file is written, and the rest is refused."""

import json
import os
import struct

import numpy as np
import pytest

from edge_mrl.errors import ExportError
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.sources import default_variants, size_limit
from edge_mrl_export.sources.default_variants import default_gaps, default_requests
from edge_mrl_export.sources.safetensors_file import count_weights
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from edge_mrl_export.sources.size_limit import check_size, fits
from tests.export.st_models import TEXTS, Session, token_ids, write_bert, write_modules

LIMIT = 2 * 10**9
"""Two gigabytes are a little more than that."""

LARGEST_MESSAGE = 60_000
"""Bytes; the nodes of the small model take 40 000."""


def test_weights_are_counted_without_being_read(tmp_path):
    shape = [596, 1_000_000]
    entry = {"dtype": "BF16", "shape": shape, "data_offsets": [0, 1_192_000_000]}
    header = json.dumps({"weight": entry}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    # Zeros that take no room on the disk.
    os.truncate(path, path.stat().st_size + 1_192_000_000)
    assert count_weights([path]) == 596_000_000


@pytest.mark.parametrize(
    ("precision", "bytes_a_weight"),
    [("fp32", 4), ("fp16", 2), ("int8-fast", 1), ("int8-portable", 1), ("int4", 0.5)],
)
def test_each_precision_of_tflite_has_its_limit_and_onnx_none(precision, bytes_a_weight):
    assert fits(int(LIMIT / bytes_a_weight), "tflite", precision)
    assert not fits(int(1.1 * LIMIT / bytes_a_weight), "tflite", precision)
    assert fits(100 * LIMIT, "onnx", precision)


def test_the_refusal_names_what_fits():
    with pytest.raises(
        ExportError,
        match="596 million weights, which take 2.4 GB as fp32, and one TFLite file holds 2 GB: "
        "choose tflite with int8-fast or int8-portable or fp16, or onnx",
    ):
        check_size(596_000_000, "tflite", "fp32")
    with pytest.raises(ExportError, match="holds 2 GB: choose onnx"):
        check_size(10 * LIMIT, "tflite", "int8-fast")


def asked(weights):
    return {(one.format, one.precision) for one in default_requests(weights)}


def test_the_default_variants_are_those_that_fit_and_a_note_says_so(monkeypatch):
    monkeypatch.setattr(default_variants, "installed", lambda *_: True)
    eights = {("onnx", "int8-fast"), ("onnx", "int8-portable")}
    assert asked(100_000_000) == {("tflite", "int8-fast"), ("onnx", "fp32"), *eights}
    assert default_gaps(100_000_000) == ()
    assert asked(596_000_000) == {("tflite", "int8-fast"), *eights}
    (gap,) = default_gaps(596_000_000)
    assert (gap.format, gap.precision) == ("onnx", "fp32")
    assert gap.why.startswith("no ONNX fp32, which would take 2.4 GB: --formats")
    assert asked(4_000_000_000) == eights
    assert "no TFLite, since 4000 million weights" in default_gaps(4_000_000_000)[0].why


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A model whose weights fit no TFLite file and no message of protobuf, since these hold little
    more than its nodes here."""
    pytest.importorskip("sentence_transformers")
    import onnx

    write_bert(tmp_path / "m")
    source = SentenceTransformersSource(write_modules(tmp_path / "m", 5))
    monkeypatch.setattr(size_limit, "_GRAPH_BYTES", 0)
    monkeypatch.setattr(size_limit, "MAX_TFLITE_BYTES", 3 * source._weights)
    monkeypatch.setattr(onnx.checker, "MAXIMUM_PROTOBUF", LARGEST_MESSAGE)
    return source


def test_float32_of_a_large_model_is_refused_for_tflite(tmp_path, large):
    with pytest.raises(ExportError, match="as fp32, .* holds 2 GB: choose tflite with int8-fast"):
        large.build(VariantRequest("tflite", "fp32"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_onnx_of_a_large_model_lies_beside_a_small_graph(tmp_path, large, precision):
    (variant,) = large.build(VariantRequest("onnx", precision), tmp_path)
    graph, constants = ((tmp_path / file).stat().st_size for file in variant.files)
    assert graph < LARGEST_MESSAGE < graph + constants
    vectors = Session(tmp_path / variant.files[0]).embed(
        token_ids(large.describe().tokenizer, TEXTS), 48
    )
    assert np.min((vectors * large.reference(TEXTS)).sum(axis=1)) > 0.9999


def test_its_smaller_variants_are_those_of_any_model(tmp_path, large):
    (variant,) = large.build(VariantRequest("onnx", "int8-portable"), tmp_path)
    vectors = Session(tmp_path / variant.files[0], variant.session_options).embed(
        token_ids(large.describe().tokenizer, TEXTS), 48
    )
    cosines = (vectors * large.reference(TEXTS)).sum(axis=1)
    # Coarse for a model this small, and far above what a wrong one would have.
    assert np.min(cosines) > 0.95
