"""A transformer from its folder to a search, in the device runtime, against its own library."""

import numpy as np
import pytest

from edge_mrl import Encoder, Index
from edge_mrl.errors import UntrainedDimError
from edge_mrl.slices import prefix
from edge_mrl_export import ExportOptions, export
from edge_mrl_export.sources.modules_json import read_layout
from edge_mrl_export.sources.oracle import Oracle
from tests.export.st_models import TEXTS, write_bert, write_modules

SENTENCES = [
    f"the heron number {number} waits. it stands in the reeds of pond {number * 7} until dusk."
    for number in range(40)
]


@pytest.fixture(scope="module", params=[5, 6], ids=["layout 5", "layout 6"])
def small(request, tmp_path_factory):
    """The folder of a small random model, its bundle, and sentence-transformers with it loaded."""
    root = tmp_path_factory.mktemp(f"layout{request.param}")
    write_bert(root / "small")
    folder = write_modules(root / "small", request.param)
    texts = root / "texts.txt"
    texts.write_text("\n".join(SENTENCES))
    # The weights of a random model are too coarse for 8 bits, so only fp32 can pass its gate.
    report = export(
        str(folder),
        root / "bundle",
        ExportOptions(formats=("onnx",), precisions=("fp32",), texts=texts),
    )
    return report, Oracle(folder, read_layout(folder))


@pytest.mark.parametrize("dim", [8, 16, 48])
def test_every_slice_equals_sentence_transformers(small, dim):
    report, oracle = small
    vectors = Encoder.load(report.path, truncate_dim=dim).encode(TEXTS)
    expected = prefix(oracle.embed(TEXTS), dim)
    assert vectors.shape == (len(TEXTS), dim)
    assert (vectors * expected).sum(axis=1).min() >= 0.99999
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_query_gets_the_model_s_prompt_and_a_document_none(small):
    report, oracle = small
    encoder = Encoder.load(report.path)
    queries = encoder.encode_query(["zip"])
    assert (queries * oracle.embed(["find: zip"])).sum() >= 0.99999
    documents = encoder.encode_document(["zip"])
    assert (documents * oracle.embed(["zip"])).sum() >= 0.99999


def test_verification_and_manifest_say_what_was_compared(small):
    report, _ = small
    (variant,) = report.variants
    assert variant.passed
    assert set(variant.cosine) == {8, 16, 48}
    assert min(variant.cosine.values()) >= 0.99999
    assert report.reference.startswith("sentence-transformers ")
    assert report.manifest.tokenizer.max_tokens == 32
    assert report.manifest.embedding.prompts == {"query": "find: "}
    assert {"torch", "optimum", "onnx"} <= set(report.manifest.tools)


def test_a_size_between_the_trained_ones_is_refused(small):
    with pytest.raises(UntrainedDimError, match="8, 16, 48"):
        Encoder.load(small[0].path, truncate_dim=32)


def test_documents_are_found_again(small, tmp_path):
    encoder = Encoder.load(small[0].path)
    with Index.open(tmp_path / "i.db", encoder) as index:
        index.add(SENTENCES)
        vector = encoder.encode_document([SENTENCES[17]])[0]
        assert index.search(vector, k=1)[0].text == SENTENCES[17]


def test_a_planned_size_runs_on_the_smallest_board(small):
    encoder = Encoder.load(small[0].path, profile="raspberry-pi-zero-2w", documents=1000)
    assert encoder.dim in (8, 16, 48)
    assert encoder.plan is not None
