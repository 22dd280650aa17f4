"""The Matryoshka head that ends every graph: keep the first `dim` coordinates, scale to unit
length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_mrl.errors import ExportError

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
"""The oldest operator set that the graphs can be written in: ReduceMax takes its axes as an input
from there on."""

NEWEST_OPSET = 20
"""torch's tracer knows none that is newer."""

OUTPUT = "sentence_embedding"
TOKEN_OUTPUT = "token_embeddings"
SMALLEST_NORM = 1e-12
"""Divides a zero vector without making NaN, and is far below the norm of any real one."""


def check_opset(wanted: int | None) -> int:
    """The operator set to write, 18 where nobody asks for another.

    Raises:
        ExportError: the graphs cannot be written in it.
    """
    opset = OPSET if wanted is None else wanted
    if not OPSET <= opset <= NEWEST_OPSET:
        raise ExportError(
            f"--opset {opset} cannot be written: choose {OPSET} to {NEWEST_OPSET}, where "
            f"{OPSET} runs on the most devices"
        )
    return opset


def append_matryoshka_head(model: ModelProto, vectors: str, tokens: str | None = None) -> None:
    """Add the input `dim`, (1,) int64, and the output sentence_embedding, (batch, dim) float32 of
    unit length; where there are token vectors, also token_embeddings, (batch, tokens, dim).

    Args:
        model: changed in place; its other outputs are dropped.
        vectors: name of a (batch, full width) float32 tensor in the graph.
        tokens: name of a (batch, tokens, full width) float32 tensor, if there is one.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([0], dtype=np.int64), "head/start"),
            numpy_helper.from_array(np.array([-1], dtype=np.int64), "head/axis"),
            numpy_helper.from_array(
                np.array(SMALLEST_NORM, dtype=np.float32), "head/smallest_norm"
            ),
        ]
    )
    graph.input.append(helper.make_tensor_value_info("dim", TensorProto.INT64, [1]))
    del graph.output[:]
    _append_cut(model, vectors, "head", OUTPUT, ["batch", "dim_kept"])
    if tokens is not None:
        _append_cut(model, tokens, "tokens", TOKEN_OUTPUT, ["batch", "tokens_kept", "dim_kept"])


def _append_cut(model: ModelProto, value: str, names: str, output: str, shape: list[str]) -> None:
    from onnx import TensorProto, helper

    prefix, norm, divisor = f"{names}/prefix", f"{names}/norm", f"{names}/divisor"
    model.graph.node.extend(
        [
            helper.make_node("Slice", [value, "head/start", "dim", "head/axis"], [prefix]),
            helper.make_node("ReduceL2", [prefix, "head/axis"], [norm], keepdims=1),
            helper.make_node("Max", [norm, "head/smallest_norm"], [divisor]),
            helper.make_node("Div", [prefix, divisor], [output]),
        ]
    )
    model.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, shape))
