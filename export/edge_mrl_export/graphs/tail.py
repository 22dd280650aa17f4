"""The modules after pooling: Dense with its activations, LayerNorm, Normalize."""

from __future__ import annotations

import math

import numpy as np

from edge_mrl_export.graphs.builder import GraphBuilder
from edge_mrl_export.sources.dense_weights import read_dense
from edge_mrl_export.sources.model_files import weight_files
from edge_mrl_export.sources.modules import Activation, DenseModule, LayerNormModule, TailModule
from edge_mrl_export.sources.safetensors_file import read_float32

_LEAST_NORM = 1e-12
"""torch.nn.functional.normalize divides by the norm or by this, whichever is larger."""

_LAYER_NORM_EPSILON = 1e-5
"""torch.nn.LayerNorm's default, which sentence-transformers leaves as it is."""


def append_tail_module(graph: GraphBuilder, module: TailModule, value: str) -> str:
    """Append one module after pooling; its weights are read from its folder.

    Args:
        graph: where to append.
        module: what to append.
        value: name of the module's input, float32 [batch, width] or [batch, tokens, width].

    Returns:
        The name of its output, float32 of that shape with the new width.

    Raises:
        ExportError: the weights are missing or do not fit the config.
    """
    if isinstance(module, DenseModule):
        return _dense(graph, module, value)
    if isinstance(module, LayerNormModule):
        return _layer_norm(graph, module, value)
    return append_normalize(graph, value)


def append_normalize(graph: GraphBuilder, value: str, output: str | None = None) -> str:
    """Append a scaling of each row to unit length; a row of zeros stays zero."""
    axes = graph.constant([-1], np.int64)
    norm = graph.node("ReduceL2", [value, axes], keepdims=1)
    norm = graph.node("Max", [norm, graph.constant(_LEAST_NORM, np.float32)])
    return graph.node("Div", [value, norm], output)


def _dense(graph: GraphBuilder, module: DenseModule, value: str) -> str:
    weights = read_dense(module)
    if weights.gains is not None:
        value = graph.node("Mul", [value, graph.constant(weights.gains, np.float32)])
    # MatMul and Add rather than Gemm: integer matrix products exist for MatMul only.
    result = graph.node("MatMul", [value, graph.constant(weights.matrix.T, np.float32)])
    if weights.bias is not None:
        result = graph.node("Add", [result, graph.constant(weights.bias, np.float32)])
    return _activate(graph, module.activation, result)


def _activate(graph: GraphBuilder, activation: Activation, value: str) -> str:
    if activation == "Identity":
        return value
    if activation == "GELU":
        # torch's default: x / 2 * (1 + erf(x / sqrt 2)). The operator Gelu needs opset 20.
        scaled = graph.node("Div", [value, graph.constant(math.sqrt(2), np.float32)])
        bracket = graph.node("Add", [graph.node("Erf", [scaled]), graph.constant(1, np.float32)])
        return graph.node(
            "Mul", [graph.node("Mul", [value, bracket]), graph.constant(0.5, np.float32)]
        )
    if activation == "SiLU":
        return graph.node("Mul", [value, graph.node("Sigmoid", [value])])
    return graph.node({"Tanh": "Tanh", "ReLU": "Relu", "Sigmoid": "Sigmoid"}[activation], [value])


def _layer_norm(graph: GraphBuilder, module: LayerNormModule, value: str) -> str:
    files = weight_files(module.folder)
    scale = graph.constant(read_float32(files, "norm.weight", (module.dim,)), np.float32)
    bias = graph.constant(read_float32(files, "norm.bias", (module.dim,)), np.float32)
    return graph.node(
        "LayerNormalization", [value, scale, bias], axis=-1, epsilon=_LAYER_NORM_EPSILON
    )
