"""The ONNX graph of a static model: gather int8 rows, scale, masked sum, Matryoshka head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from onnx import ModelProto


def static_graph(
    codes: npt.NDArray[np.int8], scales: npt.NDArray[np.float32], *, token_vectors: bool = False
) -> ModelProto:
    """Build the graph; the table stays int8 in the file and in memory.

    Args:
        codes: (vocabulary, dim) int8.
        scales: (vocabulary,) float32.
        token_vectors: whether the graph also gives the rows themselves.

    Returns:
        A model with inputs input_ids and attention_mask, (batch, sequence) int64, and
        dim, (1,) int64; output sentence_embedding, (batch, dim) float32 of unit length. With token
        vectors also the input tokens_wanted and the output token_embeddings of `build_encoder`.
    """
    from onnx import TensorProto, helper, numpy_helper

    from edge_mrl_export.graphs.builder import GraphBuilder
    from edge_mrl_export.graphs.head import OPSET, append_matryoshka_head
    from edge_mrl_export.graphs.tokens import append_choice, wanted_input

    nodes = [
        helper.make_node("Gather", ["codes", "input_ids"], ["row_codes"], axis=0),
        helper.make_node("Gather", ["scales", "input_ids"], ["row_scales"], axis=0),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["row_scales", "mask"], ["weights"]),
        helper.make_node("Unsqueeze", ["weights", "row_axis"], ["weights_row"]),
        helper.make_node("Cast", ["row_codes"], ["row_values"], to=TensorProto.FLOAT),
        # (batch, 1, sequence) x (batch, sequence, dim): the weighted sum of rows; its length does
        # not matter.
        helper.make_node("MatMul", ["weights_row", "row_values"], ["sums"]),
        helper.make_node("Squeeze", ["sums", "row_axis"], ["sentence"]),
    ]
    initializers = [
        numpy_helper.from_array(codes, "codes"),
        numpy_helper.from_array(scales, "scales"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "row_axis"),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask")
    ]
    tokens = None
    if token_vectors:
        builder = GraphBuilder("tokens")
        # Scales are positive, so the direction is that of the codes.
        tokens = append_choice(builder, "row_values")
        wanted, none = wanted_input()
        nodes += builder.nodes
        initializers += [*builder.initializers, none]
        inputs.append(wanted)
    graph = helper.make_graph(nodes, "static_table", inputs, [], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    append_matryoshka_head(model, "sentence", tokens)
    return model
