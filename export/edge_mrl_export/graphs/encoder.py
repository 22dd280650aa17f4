"""The whole encoder as one graph: backbone, pooling, the modules after it, the Matryoshka head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from edge_mrl.errors import ExportError
from edge_mrl_export.graphs.backbone import HIDDEN
from edge_mrl_export.graphs.builder import GraphBuilder
from edge_mrl_export.graphs.checking import check
from edge_mrl_export.graphs.compact import compact
from edge_mrl_export.graphs.head import append_matryoshka_head
from edge_mrl_export.graphs.pooling import PROMPT_TOKENS, append_pooling
from edge_mrl_export.graphs.positions import POSITIONS, append_positions
from edge_mrl_export.graphs.prune import prune
from edge_mrl_export.graphs.tail import append_tail_module
from edge_mrl_export.graphs.tokens import (
    TOKENS_WANTED,
    append_token_vectors,
    check_token_vectors,
    wanted_input,
)
from edge_mrl_export.sources.modules import ModelLayout

TOKEN_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def build_encoder(
    backbone: onnx.ModelProto, layout: ModelLayout, *, token_vectors: bool = False
) -> onnx.ModelProto:
    """Append everything after the backbone.

    Args:
        backbone: a model with the output `HIDDEN`.
        layout: the modules; their weights are read from their folders.
        token_vectors: whether the graph also gives a vector for each token.

    Returns:
        A new model, checked. Inputs, all int64: `input_ids` and `attention_mask`
        [batch, sequence], `token_type_ids` likewise if the backbone uses it, `prompt_tokens`
        [1] if the model leaves its prompts out of pooling, `dim` [1], and `tokens_wanted` [1], 0
        where it is not given, if there are token vectors.
        Outputs: `sentence_embedding`, float32 [batch, dim], rows of unit length, and perhaps
        `token_embeddings`, float32 [batch, tokens_wanted, dim], likewise.

    Raises:
        ExportError: the backbone wants another input, a module's weights do not fit, the model's
            modules fit no single token, or the result is not valid.
    """
    _check_width(backbone, layout.pooling.dim)
    head = GraphBuilder("positions")
    append_positions(head)
    tail = GraphBuilder("tail")
    vectors = append_pooling(tail, layout.pooling, HIDDEN, "attention_mask")
    for module in layout.tail:
        vectors = append_tail_module(tail, module, vectors)
    tokens = None
    if token_vectors:
        check_token_vectors(layout)
        tokens = append_token_vectors(tail, layout, HIDDEN)
    nodes, initializers, used = prune(
        [*head.nodes, *backbone.graph.node, *tail.nodes],
        [*head.initializers, *backbone.graph.initializer, *tail.initializers],
        [value for value in (vectors, tokens) if value is not None],
    )
    for value in backbone.graph.input:
        if value.name in used - {*TOKEN_INPUTS, POSITIONS, TOKENS_WANTED}:
            raise ExportError(
                f"the backbone asks for the input {value.name!r}, which a text encoder is not given"
            )
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, ["batch", "sequence"])
        for name in TOKEN_INPUTS
        if name in used
    ]
    if not layout.pooling.include_prompt:
        inputs.append(
            onnx.helper.make_tensor_value_info(PROMPT_TOKENS, onnx.TensorProto.INT64, [1])
        )
    if tokens is not None:
        wanted, none = wanted_input()
        inputs.append(wanted)
        initializers.append(none)
    graph = onnx.helper.make_graph(nodes, "encoder", inputs, [], initializers)
    model = onnx.helper.make_model(
        graph, opset_imports=list(backbone.opset_import), ir_version=backbone.ir_version
    )
    append_matryoshka_head(model, vectors, tokens)
    check(model)
    return model


def _check_width(backbone: onnx.ModelProto, expected: int) -> None:
    (hidden,) = (value for value in backbone.graph.output if value.name == HIDDEN)
    # 0 where the exporter left the width open.
    width = hidden.type.tensor_type.shape.dim[2].dim_value
    if width not in (0, expected):
        raise ExportError(
            f"the backbone's token vectors have {width} numbers but the Pooling config says "
            f"{expected}: the configs are of different models"
        )


def with_nodes(
    model: onnx.ModelProto,
    nodes: Sequence[onnx.NodeProto],
    initializers: Sequence[onnx.TensorProto],
    domains: Mapping[str, int],
) -> onnx.ModelProto:
    """A checked copy of a finished model with other nodes and constants, and further operator sets;
    what nobody reads goes, and the names of values become short."""
    outputs = [output.name for output in model.graph.output]
    kept, constants, _ = prune(nodes, initializers, outputs)
    ends = {*outputs, *(value.name for value in model.graph.input)}
    kept, constants = compact(kept, constants, ends)
    graph = onnx.helper.make_graph(
        kept, model.graph.name, list(model.graph.input), list(model.graph.output), constants
    )
    result = onnx.helper.make_model(
        graph,
        opset_imports=[
            *model.opset_import,
            *(onnx.helper.make_opsetid(name, version) for name, version in domains.items()),
        ],
        ir_version=model.ir_version,
    )
    check(result)
    return result
