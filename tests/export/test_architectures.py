"""Backbones beside BERT: every slice equals sentence-transformers, through the runtime."""

import importlib.util

import numpy as np
import pytest

from edge_mrl.backends import open_backend
from edge_mrl.bundle.manifest import GateResult, Variant
from edge_mrl.slices import prefix
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.small_models import ARCHITECTURES, write_backbone
from tests.export.st_models import TEXTS, token_ids, write_modules

CASES = [
    *((name, "onnx") for name in ARCHITECTURES),
    pytest.param(
        "mpnet",
        "tflite",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("litert_torch") is None,
            reason="litert-torch is not installed here",
        ),
    ),
]


@pytest.mark.parametrize(("name", "format_"), CASES)
def test_float32_equals_sentence_transformers(name, format_, tmp_path):
    write_backbone(tmp_path / name, ARCHITECTURES[name])
    source = SentenceTransformersSource(write_modules(tmp_path / name, 5), sequence_lengths=(8, 32))
    (built,) = source.build(VariantRequest(format_, "fp32"), tmp_path)
    tokenizer = source.describe().tokenizer
    variant = Variant(
        built.name,
        built.format,
        built.precision,
        built.dims,
        built.files,
        built.pad_invariant,
        built.session_options,
        GateResult(1, 1, 1),
    )
    backend = open_backend(variant, [tmp_path / built.files[0]], pad_id=tokenizer.pad_id, threads=1)
    reference = source.reference(TEXTS)
    # A check of the check: the texts are not all one vector.
    assert np.min(reference @ reference.T) < 0.9
    for dim in built.dims:
        vectors = backend.embed(token_ids(tokenizer, TEXTS), dim)
        np.testing.assert_allclose(vectors, prefix(reference, dim), atol=1e-5)
