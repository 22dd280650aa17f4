"""Prompts that are left out of pooling: from the folder through ONNX and the runtime, against
sentence-transformers."""

import numpy as np
import pytest

from edge_mrl import Encoder
from edge_mrl.errors import BackendError
from edge_mrl.slices import prefix
from edge_mrl_export import ExportOptions, export
from tests.export.small_models import ARCHITECTURES, write_backbone
from tests.export.st_models import ADAPTER, TEXTS, write_modules
from tests.export.test_transformer_bundle import SENTENCES

PROMPTS = {"query": "find 3: ", "document": "東京 ", "odd": "nothing known ☃"}


@pytest.fixture(scope="module", params=["distilbert", "qwen3"])
def exported(request, tmp_path_factory):
    """Special tokens at both ends and the mean; or one at the end, padding on the left, and the
    last token."""
    root = tmp_path_factory.mktemp(request.param)
    architecture = ARCHITECTURES[request.param]
    write_backbone(root / "small", architecture)
    folder = write_modules(
        root / "small",
        6,
        ADAPTER,
        pooling_mode=architecture.pooling_mode,
        include_prompt=False,
        prompts=PROMPTS,
    )
    (root / "texts.txt").write_text("\n".join(SENTENCES))
    options = ExportOptions(formats=("onnx",), precisions=("fp32",), texts=root / "texts.txt")
    return folder, export(str(folder), root / "bundle", options)


@pytest.mark.parametrize("dim", [8, 48])
def test_every_prompt_equals_sentence_transformers(exported, dim):
    from edge_mrl_export.sources.modules_json import read_layout
    from edge_mrl_export.sources.oracle import Oracle

    folder, report = exported
    assert not report.manifest.embedding.include_prompt
    library = Oracle(folder, read_layout(folder))._model
    encoder = Encoder.load(report.path, truncate_dim=dim)
    # Of the longest text only so much is read that a word is left after each prompt.
    for prompt in (None, *PROMPTS.values(), "of one's own: "):
        expected = library.encode(list(TEXTS), prompt=prompt, normalize_embeddings=True)
        vectors = encoder.encode(TEXTS, prompt=prompt or "")
        np.testing.assert_allclose(vectors, prefix(expected, dim), atol=1e-5)


def test_a_file_that_pools_prompts_cannot_stand_for_one_that_does_not(exported):
    from edge_mrl.backends.onnx import OnnxBackend

    _, report = exported
    (variant,) = report.manifest.variants
    backend = OnnxBackend.open(
        variant, [report.path / file for file in variant.files], pad_id=0, threads=1
    )
    assert backend.embed([[1, 5, 2]], 8, prompt_tokens=1).shape == (1, 8)
    backend._inputs.remove("prompt_tokens")
    with pytest.raises(BackendError, match="does not leave prompts out of pooling"):
        backend.embed([[1, 5, 2]], 8, prompt_tokens=1)


def test_the_prompt_s_own_tokens_matter_where_they_would_be_pooled(exported):
    folder, report = exported
    encoder = Encoder.load(report.path)
    pooled = encoder.encode("find 3: zip")
    cosine = pooled @ encoder.encode_query("zip")
    assert bool(cosine > 0.9999) is ("qwen3" in folder.parent.name)
