"""A vector for each token beside the one of the text, made only when it is asked for.

A token's vector is what the modules after pooling make of its last hidden state: what a text of
this one token would get. ONNX Runtime computes every output of a graph, wanted or not, so an input
says how many tokens are to have one; its default of 0 makes the arithmetic empty."""

from __future__ import annotations

import numpy as np
import onnx

from edge_mrl.errors import ExportError
from edge_mrl_export.graphs.builder import GraphBuilder
from edge_mrl_export.graphs.tail import append_tail_module
from edge_mrl_export.sources.modules import ModelLayout

TOKENS_WANTED = "tokens_wanted"


def check_token_vectors(layout: ModelLayout) -> None:
    """Refuse a model whose modules take more than one token's vector.

    Raises:
        ExportError: its pooling joins the results of several modes.
    """
    modes = layout.pooling.modes
    if len(modes) > 1:
        raise ExportError(
            f"the model's Pooling joins {' and '.join(modes)}, so its modules fit no single token: "
            "export it without --token-vectors"
        )


def append_token_vectors(graph: GraphBuilder, layout: ModelLayout, hidden: str) -> str:
    """Append the modules after pooling, token by token.

    Args:
        graph: where to append.
        layout: the modules; one that `check_token_vectors` lets through.
        hidden: name of the token vectors, float32 [batch, sequence, hidden].

    Returns:
        The name of their results, float32 [batch, tokens, width].

    Raises:
        ExportError: a module's weights are missing or do not fit the config.
    """
    value = append_choice(graph, hidden)
    for module in layout.tail:
        value = append_tail_module(graph, module, value)
    return value


def append_choice(graph: GraphBuilder, rows: str) -> str:
    """Append a cut of [batch, sequence, width] to the first `TOKENS_WANTED` of each text."""
    start, axis = graph.constant([0], np.int64), graph.constant([1], np.int64)
    return graph.node("Slice", [rows, start, TOKENS_WANTED, axis])


def wanted_input() -> tuple[onnx.ValueInfoProto, onnx.TensorProto]:
    """The input `TOKENS_WANTED`, int64 [1], and its default: none."""
    value = onnx.helper.make_tensor_value_info(TOKENS_WANTED, onnx.TensorProto.INT64, [1])
    return value, onnx.numpy_helper.from_array(np.array([0], dtype=np.int64), TOKENS_WANTED)
