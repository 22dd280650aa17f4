"""Models that no file of 2 GB holds in float32 are refused before anything is computed."""

import json
import os
import struct

import pytest

from edge_mrl.errors import ExportError
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.sources import size_limit
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.st_models import write_bert, write_modules


def weights(path, millions):
    """A safetensors file of half-precision zeros, which take no room on the disk."""
    shape = [millions, 1_000_000]
    entry = {"dtype": "F16", "shape": shape, "data_offsets": [0, 2 * millions * 1_000_000]}
    header = json.dumps({"weight": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(path, path.stat().st_size + 2 * millions * 1_000_000)
    return path


def test_the_limit_lies_at_530_million_weights(tmp_path):
    size_limit.check_size([weights(tmp_path / "small.safetensors", 530)])
    with pytest.raises(ExportError, match="has 596 million weights: .* at most 530 million"):
        size_limit.check_size([weights(tmp_path / "large.safetensors", 596)])


@pytest.mark.parametrize("format_", ["onnx", "tflite"])
def test_every_format_has_it(tmp_path, monkeypatch, format_):
    pytest.importorskip("sentence_transformers")
    write_bert(tmp_path / "m")
    source = SentenceTransformersSource(write_modules(tmp_path / "m", 5))
    monkeypatch.setattr(size_limit, "MAX_FILE_BYTES", 2**24)
    with pytest.raises(ExportError, match="holds 2 GB at most"):
        source.build(VariantRequest(format_, "int8-fast"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
