"""`int8-fast`: dynamic quantisation, integer matrix products with activations quantised as they
come.

The pattern is that of onnxruntime.quantization.quantize_dynamic (per channel), which ONNX Runtime
fuses into one
kernel: DynamicQuantizeLinear, MatMulInteger, Cast, Mul, Mul. It is written here because
quantize_dynamic has one scale for a whole embedding table; with one per row the vectors come out
closer to fp32.

The scale of an activation is taken over the whole batch, so a text's vector depends on what it is
batched with: such a file is run one text at a time.
"""

from __future__ import annotations

import onnx

from edge_mrl_export.precision.embeddings import quantize_embeddings
from edge_mrl_export.precision.portable import quantize_weights
from edge_mrl_export.precision.rewrite import Rewriter
from edge_mrl_export.precision.symmetric import quantize


def int8_fast(model: onnx.ModelProto) -> onnx.ModelProto:
    """Quantise a finished fp32 encoder, embedding tables included; it is not changed."""
    rewriter = Rewriter(model)
    quantize_embeddings(rewriter)
    _quantize_products(rewriter)
    # A Gemm has no integer counterpart: its weights alone become 8-bit.
    quantize_weights(rewriter)
    return rewriter.finish()


def _quantize_products(rewriter: Rewriter) -> None:
    """Rewrite each MatMul with a constant right-hand matrix."""
    quantized: set[str] = set()

    def rule(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        if node.op_type != "MatMul":
            return None
        left, weight = node.input
        matrix = rewriter.matrix(weight)
        if matrix is None:
            return None
        channels = quantize(matrix, axis=1)
        codes = rewriter.add(f"{weight}_codes", channels.codes)
        scales = rewriter.add(f"{weight}_scales", channels.scales)
        nodes = []
        activation, scale, zero = (f"{left}_{part}" for part in ("quantized", "scale", "zero"))
        if left not in quantized:
            # Query, key and value read the same activation: it is quantised once.
            quantized.add(left)
            nodes.append(
                _node(
                    "DynamicQuantizeLinear", [left], [activation, scale, zero], f"{left}_quantize"
                )
            )
        name = node.name
        product, real, factor = f"{name}_integer", f"{name}_float", f"{name}_factor"
        cast = _node("Cast", [product], [real], real)
        cast.attribute.append(onnx.helper.make_attribute("to", onnx.TensorProto.FLOAT))
        nodes += [
            _node("MatMulInteger", [activation, codes, zero], [product], product),
            cast,
            _node("Mul", [scale, scales], [factor], factor),
            _node("Mul", [real, factor], list(node.output), name),
        ]
        return nodes

    rewriter.replace(rule)


def _node(op: str, inputs: list[str], outputs: list[str], name: str) -> onnx.NodeProto:
    return onnx.helper.make_node(op, inputs, outputs, name=name)
