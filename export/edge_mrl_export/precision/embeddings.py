"""Embedding tables as int8 rows: gathered as they are, and made float32 only for the tokens of the
text.

One scale per row, since rows differ widely in size; the table stays 8-bit in memory on every
engine, because the multiplication comes after the gather and so cannot be folded into the table.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx

from edge_mrl_export.precision.rewrite import Rewriter
from edge_mrl_export.precision.symmetric import quantize


def quantize_embeddings(rewriter: Rewriter) -> None:
    """Rewrite each Gather of rows from a constant float32 table."""

    def rule(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        if node.op_type != "Gather" or any(
            item.name == "axis" and item.i != 0 for item in node.attribute
        ):
            return None
        table, ids = node.input
        matrix = rewriter.matrix(table)
        if matrix is None:
            return None
        rows = quantize(matrix, axis=0, short_scales=True)
        name = node.name
        return [
            *_gathered(rewriter, f"{table}_codes", rows.codes, ids, f"{name}_codes"),
            *_gathered(rewriter, f"{table}_scales", rows.scales[:, None], ids, f"{name}_scales"),
            onnx.helper.make_node(
                "Mul", [f"{name}_codes", f"{name}_scales"], list(node.output), name=name
            ),
        ]

    rewriter.replace(rule)


def _gathered(
    rewriter: Rewriter, table: str, rows: npt.NDArray[np.generic], ids: str, result: str
) -> list[onnx.NodeProto]:
    """Nodes that give rows of a table as float32."""
    rewriter.add(table, rows)
    if rows.dtype == np.float32:
        return [onnx.helper.make_node("Gather", [table, ids], [result], name=result, axis=0)]
    kept = f"{result}_stored"
    return [
        onnx.helper.make_node("Gather", [table, ids], [kept], name=kept, axis=0),
        onnx.helper.make_node("Cast", [kept], [result], name=result, to=onnx.TensorProto.FLOAT),
    ]
