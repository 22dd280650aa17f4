"""Sizes that a graph reads off its own values, where they are always the same."""

import numpy as np
import onnx
import pytest

from edge_mrl_export.graphs.shapes import fold_known_sizes, known_shapes
from tests.export.st_models import Session

make, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
FLOAT = onnx.TensorProto.FLOAT


def scores(heads=4, width=8):
    """The scale of attention as torch's exporter writes it: 1 / sqrt(the width of a head)."""
    constants = {
        "heads": [0, 0, heads, width],
        "before": [-1],
        "after": [2**63 - 1],
        "first": 0,
    }
    nodes = [
        make("Reshape", ["x", "heads"], ["split"]),
        make("Transpose", ["split"], ["turned"], perm=[0, 2, 1, 3]),
        make("Shape", ["turned"], ["shape"]),
        make("Slice", ["shape", "before", "after"], ["width"]),
        make("Gather", ["shape", "first"], ["batch"]),
        make("Cast", ["width"], ["real"], to=FLOAT),
        make("Sqrt", ["real"], ["root"]),
        make("Div", ["turned", "root"], ["scaled"]),
        make("Cast", ["batch"], ["texts"], to=FLOAT),
        make("Mul", ["scaled", "texts"], ["y"]),
    ]
    tensors = [
        onnx.numpy_helper.from_array(np.array(v, dtype=np.int64), k) for k, v in constants.items()
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [info("x", FLOAT, ["batch", "tokens", heads * width])],
        [info("y", FLOAT, ["batch", heads, "tokens", width])],
        tensors,
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def test_shapes_are_known_but_for_what_texts_decide():
    shapes = known_shapes(scores())
    assert shapes["turned"] == (None, 4, None, 8)
    assert shapes["x"] == (None, None, 32)


@pytest.mark.parametrize("texts", [1, 3])
def test_the_width_of_a_head_becomes_a_constant_and_the_batch_does_not(texts):
    model = scores()
    x = np.random.default_rng(texts).normal(size=(texts, 5, 32)).astype(np.float32)
    (before,) = Session(model.SerializeToString()).inner.run(None, {"x": x})
    fold_known_sizes(model)
    onnx.checker.check_model(model, full_check=True)
    types = [node.op_type for node in model.graph.node]
    assert "Slice" not in types and "Gather" in types
    (width,) = (tensor for tensor in model.graph.initializer if tensor.name == "width")
    assert onnx.numpy_helper.to_array(width).tolist() == [8]
    (after,) = Session(model.SerializeToString()).inner.run(None, {"x": x})
    np.testing.assert_array_equal(after, before)
    expected = x.reshape(texts, 5, 4, 8).transpose(0, 2, 1, 3) / np.sqrt(8) * texts
    np.testing.assert_allclose(after, expected, rtol=1e-6)
