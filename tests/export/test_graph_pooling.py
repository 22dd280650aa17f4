"""Pooling in the graph against sentence_transformers.models.Pooling, padded on either side."""

import warnings

import numpy as np
import onnx
import pytest

from edge_mrl_export.graphs.builder import GraphBuilder
from edge_mrl_export.graphs.head import OPSET
from edge_mrl_export.graphs.pooling import append_pooling
from edge_mrl_export.sources.modules import PoolingModule
from tests.export.st_models import Session

MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
DIM = 6
LENGTHS = (1, 4, 7, 9)


def pooling_session(modes, include_prompt=True):
    graph = GraphBuilder("tail")
    result = append_pooling(graph, PoolingModule(DIM, modes, include_prompt), "hidden", "mask")
    float32, int64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    count = onnx.helper.make_tensor_value_info("prompt_tokens", int64, [1])
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "pooling",
            [
                onnx.helper.make_tensor_value_info("hidden", float32, ["batch", "sequence", DIM]),
                onnx.helper.make_tensor_value_info("mask", int64, ["batch", "sequence"]),
                *(() if include_prompt else (count,)),
            ],
            [onnx.helper.make_tensor_value_info(result, float32, ["batch", len(modes) * DIM])],
            graph.initializers,
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=10,
    )
    onnx.checker.check_model(model, full_check=True)
    return Session(model.SerializeToString()).inner


def batch(side):
    rng = np.random.default_rng(3)
    hidden = rng.normal(size=(len(LENGTHS), max(LENGTHS), DIM)).astype(np.float32)
    places = np.arange(max(LENGTHS))
    if side == "left":
        places = places[::-1]
    mask = (places[None, :] < np.array(LENGTHS)[:, None]).astype(np.int64)
    return hidden, mask


def expected(modes, hidden, mask, prompt=None):
    import torch

    with warnings.catch_warnings():
        # The path that every version 5 has; the newest ones call it deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from sentence_transformers.models import Pooling

    features = {
        "token_embeddings": torch.from_numpy(hidden),
        "attention_mask": torch.from_numpy(mask),
    }
    if prompt is not None:
        features["prompt_length"] = prompt
    pooling = Pooling(DIM, pooling_mode=list(modes), include_prompt=prompt is None)
    return pooling(features)["sentence_embedding"].numpy()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("modes", [*((mode,) for mode in MODES), ("cls", "mean", "lasttoken")])
def test_every_mode_equals_sentence_transformers(modes, side):
    hidden, mask = batch(side)
    (pooled,) = pooling_session(modes).run(None, {"hidden": hidden, "mask": mask})
    assert pooled.shape == (len(LENGTHS), len(modes) * DIM)
    np.testing.assert_allclose(pooled, expected(modes, hidden, mask), atol=2e-6)


@pytest.mark.parametrize("mode", MODES)
def test_what_stands_in_the_padding_does_not_matter(mode):
    hidden, mask = batch("right")
    other = np.where(mask[:, :, None] == 1, hidden, 1e6).astype(np.float32)
    session = pooling_session((mode,))
    (plain,) = session.run(None, {"hidden": hidden, "mask": mask})
    (disturbed,) = session.run(None, {"hidden": other, "mask": mask})
    np.testing.assert_array_equal(plain, disturbed)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("modes", [*((mode,) for mode in MODES), ("cls", "mean", "lasttoken")])
@pytest.mark.parametrize("prompt", [0, 1, 3])
def test_a_prompt_is_left_out_as_sentence_transformers_does(modes, side, prompt):
    hidden, mask = batch(side)
    # The shortest text has a word after the longest prompt.
    hidden, mask = hidden[1:], mask[1:]
    session = pooling_session(modes, include_prompt=False)
    feeds = {"hidden": hidden, "mask": mask, "prompt_tokens": np.array([prompt])}
    (pooled,) = session.run(None, feeds)
    np.testing.assert_allclose(pooled, expected(modes, hidden, mask, prompt), atol=2e-6)
