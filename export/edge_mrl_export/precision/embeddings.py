"""Embedding tables as int8 rows: gathered as they are, and made float32 only for the tokens of the
text.

One scale per row, since rows differ widely in size; the table stays 8-bit in memory on every
engine, because the multiplication comes after the gather and so cannot be folded into the table.
"""

from __future__ import annotations

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
        rows = quantize(matrix, axis=0)
        codes = rewriter.add(f"{table}_codes", rows.codes)
        scales = rewriter.add(f"{table}_scales", rows.scales.reshape(-1, 1))
        name = node.name
        return [
            onnx.helper.make_node(
                "Gather", [codes, ids], [f"{name}_codes"], name=f"{name}_codes", axis=0
            ),
            onnx.helper.make_node(
                "Gather", [scales, ids], [f"{name}_scale"], name=f"{name}_scale", axis=0
            ),
            onnx.helper.make_node(
                "Cast",
                [f"{name}_codes"],
                [f"{name}_cast"],
                name=f"{name}_cast",
                to=onnx.TensorProto.FLOAT,
            ),
            onnx.helper.make_node(
                "Mul", [f"{name}_cast", f"{name}_scale"], list(node.output), name=name
            ),
        ]

    rewriter.replace(rule)
