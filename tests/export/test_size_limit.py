"""What of a large model fits one file is written, and the rest is refused."""

import json
import os
import struct

import numpy as np
import pytest

from edge_mrl.errors import ExportError
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.sources import size_limit
from edge_mrl_export.sources.safetensors_file import count_weights
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from edge_mrl_export.sources.size_limit import check_size, fits
from tests.export.st_models import TEXTS, Session, token_ids, write_bert, write_modules

LIMIT = 2 * 10**9
"""Two gigabytes are a little more than that."""


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
def test_each_precision_has_its_limit(precision, bytes_a_weight):
    assert fits(int(LIMIT / bytes_a_weight), precision)
    assert not fits(int(1.1 * LIMIT / bytes_a_weight), precision)


def test_the_refusal_names_what_fits():
    with pytest.raises(
        ExportError,
        match="596 million weights, which take 2.4 GB as fp32, .* holds 2 GB: choose of fp16, "
        "int8-fast, int8-portable, int4",
    ):
        check_size(596_000_000, "fp32")
    with pytest.raises(ExportError, match="choose a smaller model"):
        check_size(10 * LIMIT, "int4")


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A model whose float32 weights fit no file, since files hold no more here."""
    pytest.importorskip("sentence_transformers")
    write_bert(tmp_path / "m")
    source = SentenceTransformersSource(write_modules(tmp_path / "m", 5))
    monkeypatch.setattr(size_limit, "_GRAPH_BYTES", 0)
    monkeypatch.setattr(size_limit, "MAX_FILE_BYTES", 3 * source._weights)
    return source


@pytest.mark.parametrize("format_", ["onnx", "tflite"])
def test_float32_of_a_large_model_is_refused_in_every_format(tmp_path, large, format_):
    with pytest.raises(ExportError, match="as fp32, .* holds 2 GB: choose of fp16, int8-fast"):
        large.build(VariantRequest(format_, "fp32"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_its_default_variants_are_those_that_fit_and_a_note_says_so(large):
    assert {request.precision for request in large.default_requests()} == {
        "int8-fast",
        "int8-portable",
    }
    assert "no fp32, since 0 million weights" in large.default_note()


def test_its_smaller_variants_are_those_of_any_model(tmp_path, large):
    (variant,) = large.build(VariantRequest("onnx", "int8-portable"), tmp_path)
    vectors = Session(tmp_path / variant.files[0], variant.session_options).embed(
        token_ids(large.describe().tokenizer, TEXTS), 48
    )
    cosines = (vectors * large.reference(TEXTS)).sum(axis=1)
    # Coarse for a model this small, and far above what a wrong one would have.
    assert np.min(cosines) > 0.95
