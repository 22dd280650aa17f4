"""`int8-portable`: only the weights are 8-bit, the arithmetic is float32, so every machine gives
the same vectors.

Each weight is stored as int8 codes with one scale per output channel behind a DequantizeLinear.
ONNX Runtime would fuse that into integer arithmetic, whose rounding differs between processors; the
session option below forbids it, and the runtime sets it.
"""

from __future__ import annotations

import onnx

from edge_mrl_export.precision.embeddings import quantize_embeddings
from edge_mrl_export.precision.rewrite import Rewriter
from edge_mrl_export.precision.symmetric import quantize


def int8_portable(model: onnx.ModelProto) -> onnx.ModelProto:
    """Quantise the weights of an fp32 encoder, embedding tables included; it is not changed."""
    rewriter = Rewriter(model)
    quantize_embeddings(rewriter)
    quantize_weights(rewriter)
    return rewriter.finish()


def quantize_weights(rewriter: Rewriter) -> None:
    """Put each constant right-hand matrix of a MatMul or Gemm behind a DequantizeLinear."""
    done: dict[tuple[str, int], str] = {}

    def rule(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        if node.op_type not in ("MatMul", "Gemm"):
            return None
        weight = node.input[1]
        matrix = rewriter.matrix(weight)
        if matrix is None:
            return None
        # The axis of output channels: columns, or rows where Gemm turns the matrix.
        axis = 0 if any(item.name == "transB" and item.i for item in node.attribute) else 1
        before = []
        if (weight, axis) not in done:
            channels = quantize(matrix, axis)
            result = f"{weight}_float_{axis}"
            codes = rewriter.add(f"{weight}_codes_{axis}", channels.codes)
            scales = rewriter.add(f"{weight}_scales_{axis}", channels.scales)
            before.append(
                onnx.helper.make_node(
                    "DequantizeLinear", [codes, scales], [result], name=result, axis=axis
                )
            )
            done[weight, axis] = result
        changed = onnx.NodeProto()
        changed.CopyFrom(node)
        changed.input[1] = done[weight, axis]
        return [*before, changed]

    rewriter.replace(rule)
