"""`fp16`: half the bytes on disk; the arithmetic stays float32, since ONNX Runtime has no
half-precision products for most processors of small boards.

Each weight is a float16 constant behind a Cast; tables of embeddings are cast after the gather, so
they stay small in memory too."""

from __future__ import annotations

import numpy as np
import onnx

from edge_mrl_export.precision.rewrite import Rewriter

LARGEST = float(np.finfo(np.float16).max)


def fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store the weights of an fp32 encoder in half precision; it is not changed.

    A matrix with a number beyond float16's range (65504) stays in float32."""
    rewriter = Rewriter(model)
    cast: set[str] = set()

    def rule(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        if node.op_type not in ("Gather", "MatMul", "Gemm"):
            return None
        place = 0 if node.op_type == "Gather" else 1
        weight = node.input[place]
        matrix = rewriter.matrix(weight)
        if matrix is None or np.abs(matrix).max() > LARGEST:
            return None
        half = rewriter.add(f"{weight}_half", matrix.astype(np.float16))
        changed = onnx.NodeProto()
        changed.CopyFrom(node)
        if node.op_type == "Gather":
            rows = f"{node.name}_half"
            changed.input[0], changed.output[0], changed.name = half, rows, rows
            return [changed, _to_float32(rows, node.output[0], node.name)]
        whole = f"{weight}_float"
        changed.input[1] = whole
        if whole in cast:
            return [changed]
        cast.add(whole)
        return [_to_float32(half, whole, whole), changed]

    rewriter.replace(rule)
    return rewriter.finish()


def _to_float32(value: str, result: str, name: str) -> onnx.NodeProto:
    return onnx.helper.make_node("Cast", [value], [result], name=name, to=onnx.TensorProto.FLOAT)
