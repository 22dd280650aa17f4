"""Dense, LayerNorm, Normalize and the Matryoshka head against torch; dropping unread nodes."""

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

from edge_mrl.errors import ExportError
from edge_mrl_export.graphs.builder import GraphBuilder
from edge_mrl_export.graphs.files import write_graph
from edge_mrl_export.graphs.head import OPSET, append_matryoshka_head
from edge_mrl_export.graphs.prune import prune
from edge_mrl_export.graphs.tail import append_tail_module
from edge_mrl_export.sources.modules_json import DenseModule, LayerNormModule, NormalizeModule
from tests.export.st_models import Session, dense, layer_norm

WIDTH = 12


def run(module, rows):
    graph = GraphBuilder("tail")
    result = append_tail_module(graph, module, "rows")
    float32 = onnx.TensorProto.FLOAT
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "tail",
            [onnx.helper.make_tensor_value_info("rows", float32, ["batch", WIDTH])],
            [onnx.helper.make_tensor_value_info(result, float32, None)],
            graph.initializers,
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=10,
    )
    return Session(model.SerializeToString()).inner.run(None, {"rows": rows})[0]


@pytest.fixture
def rows():
    return np.random.default_rng(5).normal(size=(7, WIDTH)).astype(np.float32) * 2


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ["Identity", "Tanh", "GELU", "ReLU", "Sigmoid", "SiLU"])
def test_dense_equals_torch(tmp_path, rows, activation, bias):
    import torch

    weights = dense(WIDTH, 5, "unused", 7, bias=bias).weights
    save_file(dict(weights), tmp_path / "model.safetensors")
    linear = torch.nn.functional.linear(
        torch.from_numpy(rows), *(torch.from_numpy(array) for array in weights.values())
    )
    expected = getattr(torch.nn, activation)()(linear).numpy()
    found = run(DenseModule(tmp_path, WIDTH, 5, bias, activation), rows)
    np.testing.assert_allclose(found, expected, atol=5e-6)


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64"])
def test_dense_weights_of_other_float_types_are_widened(tmp_path, rows, kind):
    import torch
    from safetensors.torch import save_file as save_torch

    weight = torch.from_numpy(dense(WIDTH, 5, "unused", 7).weights["linear.weight"])
    weight = weight.to(getattr(torch, kind))
    save_torch({"linear.weight": weight}, tmp_path / "model.safetensors")
    expected = rows @ weight.float().numpy().T
    found = run(DenseModule(tmp_path, WIDTH, 5, False, "Identity"), rows)
    np.testing.assert_allclose(found, expected, atol=5e-6)


def test_dense_weights_of_another_shape_are_refused(tmp_path, rows):
    save_file(dict(dense(WIDTH, 5, "unused", 7).weights), tmp_path / "model.safetensors")
    with pytest.raises(ExportError, match=r"shape \[5, 12\], but the config says \[6, 12\]"):
        run(DenseModule(tmp_path, WIDTH, 6, True, "Identity"), rows)


def test_layer_norm_equals_torch(tmp_path, rows):
    import torch

    weights = layer_norm(WIDTH, 9).weights
    save_file(dict(weights), tmp_path / "model.safetensors")
    expected = torch.nn.functional.layer_norm(
        torch.from_numpy(rows),
        (WIDTH,),
        torch.from_numpy(weights["norm.weight"]),
        torch.from_numpy(weights["norm.bias"]),
    ).numpy()
    np.testing.assert_allclose(run(LayerNormModule(tmp_path, WIDTH), rows), expected, atol=2e-6)


def test_normalize_gives_unit_rows_and_leaves_zeros(rows):
    rows[2] = 0
    rows[3] *= 1e-8
    found = run(NormalizeModule(), rows)
    norms = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    norms[2] = 1
    np.testing.assert_allclose(found, rows / norms, atol=2e-7)


@pytest.mark.parametrize("dim", [1, 5, WIDTH])
def test_the_head_cuts_and_renormalises(rows, dim, tmp_path):
    float32 = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["rows"], ["vectors"])],
        "head",
        [onnx.helper.make_tensor_value_info("rows", float32, ["batch", WIDTH])],
        [],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)])
    append_matryoshka_head(model, "vectors")
    feed = {"rows": rows, "dim": np.array([dim], dtype=np.int64)}
    write_graph(model, tmp_path / "head.onnx")
    (found,) = Session(tmp_path / "head.onnx").inner.run(["sentence_embedding"], feed)
    cut = rows[:, :dim].astype(np.float64)
    np.testing.assert_allclose(found, cut / np.linalg.norm(cut, axis=1, keepdims=True), atol=3e-7)


def test_prune_keeps_what_a_branch_reads_and_drops_the_rest():
    make = onnx.helper.make_node
    inner = onnx.helper.make_graph([make("Neg", ["from_outside"], ["y"])], "then", [], [])
    nodes = [
        make("Identity", ["a"], ["from_outside"]),
        make("Identity", ["b"], ["unused"]),
        make("If", ["condition"], ["out"], then_branch=inner, else_branch=inner),
    ]
    constants = [onnx.numpy_helper.from_array(np.zeros(1), name) for name in ("a", "b")]
    kept, left, used = prune(nodes, constants, ["out"])
    assert [node.output[0] for node in kept] == ["from_outside", "out"]
    assert [tensor.name for tensor in left] == ["a"]
    assert "condition" in used and "b" not in used
