"""The table of a backbone's learnt positions, without the rows that no text reaches."""

from __future__ import annotations

import numpy as np
import onnx

from edge_mrl_export.graphs.constants import values

_TABLE = "position_embeddings.weight"
"""The end of its name in BERT, DistilBERT, MPNet, XLM-RoBERTa and what is made like them."""


def cut_position_table(backbone: onnx.ModelProto, whole: int, used: int) -> None:
    """Drop the rows at the end of the table, in place; no vector changes.

    A model that has no such table, or reads it otherwise than row by row, stays as it is.

    Args:
        backbone: as Optimum exports it.
        whole: `max_position_embeddings` of its config, the rows that the table has.
        used: how many of them the longest text reads.
    """
    for tensor in backbone.graph.initializer:
        if not tensor.name.endswith(_TABLE) or tensor.dims[0] != whole or used >= whole:
            continue
        readers = [node for node in backbone.graph.node if tensor.name in node.input]
        if all(_gathers_rows(node, tensor.name) for node in readers):
            rows = np.ascontiguousarray(values(tensor)[:used])
            tensor.CopyFrom(onnx.numpy_helper.from_array(rows, tensor.name))


def _gathers_rows(node: onnx.NodeProto, table: str) -> bool:
    return (
        node.op_type == "Gather"
        and node.input[0] == table
        and not any(item.name == "axis" and item.i != 0 for item in node.attribute)
    )
