"""Backbones beside BERT: every slice equals sentence-transformers, through the runtime."""

import importlib.util
import json

import numpy as np
import onnx
import pytest

from edge_mrl.backends import open_backend
from edge_mrl.bundle.manifest import GateResult, Variant
from edge_mrl.errors import ExportError
from edge_mrl.slices import prefix
from edge_mrl_export.model import VariantRequest
from edge_mrl_export.sources.backbone import read_config
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from tests.export.small_models import ARCHITECTURES, write_model
from tests.export.st_models import TEXTS, token_ids

needs_converter = pytest.mark.skipif(
    importlib.util.find_spec("litert_torch") is None, reason="litert-torch is not installed here"
)
CASES = [
    *((name, "onnx") for name in ARCHITECTURES),
    pytest.param("mpnet", "tflite", marks=needs_converter),
    # The one whose attention is written anew for the converter.
    pytest.param("gemma3_text", "tflite", marks=needs_converter),
]


@pytest.mark.parametrize(("name", "format_"), CASES)
def test_float32_equals_sentence_transformers(name, format_, tmp_path):
    source = SentenceTransformersSource(
        write_model(tmp_path / name, ARCHITECTURES[name]), sequence_lengths=(32,)
    )
    description = source.describe()
    assert description.architecture == name
    assert description.prompts == ARCHITECTURES[name].prompts
    (built,) = source.build(VariantRequest(format_, "fp32"), tmp_path)
    tokenizer = description.tokenizer
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
    backend = open_backend(
        variant, [tmp_path / file for file in built.files], pad_id=tokenizer.pad_id, threads=1
    )
    texts = [*TEXTS, *(prompt + TEXTS[2] for prompt in description.prompts.values())]
    reference = source.reference(texts)
    # A check of the check: the texts are not all one vector.
    assert np.min(reference @ reference.T) < 0.9
    for dim in built.dims:
        vectors = backend.embed(token_ids(tokenizer, texts), dim)
        np.testing.assert_allclose(vectors, prefix(reference, dim), atol=1e-5)


@pytest.mark.parametrize(
    # RoBERTa's family counts positions from the padding token's id, 1, on.
    ("name", "rows"),
    [("distilbert", 32), ("mpnet", 34), ("xlm-roberta", 34)],
)
def test_positions_beyond_the_longest_text_are_left_out(name, rows, tmp_path):
    """The longest of TEXTS, which reaches the last position, is compared above."""
    folder = write_model(tmp_path / name, ARCHITECTURES[name])
    assert json.loads((folder / "config.json").read_text())["max_position_embeddings"] == 64
    (built,) = SentenceTransformersSource(folder).build(VariantRequest("onnx", "fp32"), tmp_path)
    (table,) = (
        tensor
        for tensor in onnx.load(tmp_path / built.files[0]).graph.initializer
        if tensor.name.endswith("position_embeddings.weight")
    )
    assert table.dims[0] == rows


def test_an_encoder_with_a_decoder_is_refused_by_name(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bart"}))
    with pytest.raises(ExportError, match=r"an encoder and a decoder \(bart\).*only mt5 and t5"):
        read_config(tmp_path)


def test_both_halves_of_a_t5_give_the_encoder_alone(tmp_path):
    """Older folders hold the decoder too; it takes no part."""
    from transformers import T5Config, T5Model

    folder = write_model(tmp_path / "t5", ARCHITECTURES["t5"])
    halves = T5Model(T5Config.from_pretrained(folder, is_encoder_decoder=True))
    halves.save_pretrained(folder)
    source = SentenceTransformersSource(folder)
    (built,) = source.build(VariantRequest("onnx", "fp32"), tmp_path)
    only_encoder = sum(weight.numel() for weight in halves.get_encoder().parameters())
    size = sum((tmp_path / file).stat().st_size for file in built.files)
    assert size < 4 * (only_encoder + 10_000) + 200_000
    assert json.loads((folder / "config.json").read_text())["is_encoder_decoder"]


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name != "bert"])
def test_the_weights_that_tokens_are_multiplied_with_are_those_of_linear_layers(name, tmp_path):
    """Counted by hooks while sentence-transformers reads a text. A pooler is run there, and what it
    gives is left."""
    torch = pytest.importorskip("torch")
    from sentence_transformers import SentenceTransformer

    folder = write_model(tmp_path / name, ARCHITECTURES[name])
    model = SentenceTransformer(str(folder), device="cpu")
    used = {}
    for path, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and "pooler" not in path:
            module.register_forward_hook(
                lambda module, *_: used.update({id(module): module.weight.numel()})
            )
    model.encode(TEXTS[1])
    assert SentenceTransformersSource(folder).describe().multiplied_weights == sum(used.values())
