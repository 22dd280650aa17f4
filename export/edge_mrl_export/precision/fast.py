"""`int8-fast`: dynamic quantisation, integer matrix products with activations quantised as they
come.

The pattern is that of onnxruntime.quantization.quantize_dynamic (per channel), which ONNX Runtime
fuses into one kernel: DynamicQuantizeLinear, MatMulInteger, Cast, Mul, Mul. It is written here
because quantize_dynamic has one scale for a whole embedding table and one for all tokens of a text.
With one per row of the table, one per token where tokens differ most, and outstanding gains moved
into the weights, the vectors come out closer to fp32.

The scale of other activations is taken over the whole batch, so a text's vector depends on what it
is batched with: such a file is run one text at a time.
"""

from __future__ import annotations

import onnx

from edge_mrl.slices import FloatArray
from edge_mrl_export.graphs.shapes import known_shapes
from edge_mrl_export.graphs.tokens import TOKENS_WANTED
from edge_mrl_export.precision.activations import Activations
from edge_mrl_export.precision.embeddings import quantize_embeddings
from edge_mrl_export.precision.gains import outstanding_gains
from edge_mrl_export.precision.per_token import TokenCodes, quantize_tokens, token_product
from edge_mrl_export.precision.portable import quantize_weights
from edge_mrl_export.precision.rewrite import Rewriter
from edge_mrl_export.precision.symmetric import quantize


def int8_fast(model: onnx.ModelProto) -> onnx.ModelProto:
    """Quantise a finished fp32 encoder, embedding tables included; it is not changed."""
    rewriter = Rewriter(model)
    quantize_embeddings(rewriter)
    _quantize_after_activations(rewriter, model)
    _quantize_products(rewriter, outstanding_gains(model))
    # A Gemm has no integer counterpart: its weights alone become 8-bit.
    quantize_weights(rewriter)
    return rewriter.finish()


def _quantize_after_activations(rewriter: Rewriter, model: onnx.ModelProto) -> None:
    """Rewrite the second product of each feed-forward block, with a scale for each token.

    After pooling there are no tokens: a text has one row there. Where an input says how many
    tokens are wanted there may be none, of which ONNX Runtime finds no highest number.
    """
    activations = Activations(model)
    perhaps_empty = _after(model, TOKENS_WANTED)
    shapes = known_shapes(model)
    quantized: dict[str, TokenCodes] = {}

    def rule(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        if node.op_type != "MatMul":
            return None
        left, weight = node.input
        if len(shapes.get(left, ())) != 3 or left in perhaps_empty:
            return None
        if not activations.is_one(left):
            return None
        matrix = rewriter.matrix(weight)
        if matrix is None:
            return None
        nodes: list[onnx.NodeProto] = []
        if left not in quantized:
            nodes, quantized[left] = quantize_tokens(
                rewriter, left, len(matrix), activations.depth(left)
            )
        right = quantize(matrix, axis=1)
        return [*nodes, *token_product(rewriter, node, quantized[left], weight, right)]

    rewriter.replace(rule)


def _after(model: onnx.ModelProto, value: str) -> set[str]:
    """A value and all that are computed from it."""
    found = {value}
    for node in model.graph.node:
        if not found.isdisjoint(node.input):
            found.update(node.output)
    return found


def _quantize_products(rewriter: Rewriter, gains: dict[str, FloatArray]) -> None:
    """Rewrite each other MatMul with a constant right-hand matrix; left-hand sides that have
    `gains` are divided by them, and the rows of the matrix multiplied."""
    quantized: set[str] = set()

    def rule(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        if node.op_type != "MatMul":
            return None
        left, weight = node.input
        matrix = rewriter.matrix(weight)
        if matrix is None:
            return None
        stored = weight
        if left in gains:
            matrix = matrix * gains[left][:, None]
            # Another product may read the same weight after another normalisation.
            stored = f"{weight}_{left}"
        channels = quantize(matrix, axis=1)
        codes = rewriter.add(f"{stored}_codes", channels.codes)
        scales = rewriter.add(f"{stored}_scales", channels.scales)
        nodes = []
        activation, scale, zero = (f"{left}_{part}" for part in ("quantized", "scale", "zero"))
        if left not in quantized:
            # Query, key and value read the same activation: it is quantised once.
            quantized.add(left)
            source = left
            if left in gains:
                source = f"{left}_even"
                divisors = rewriter.add(f"{left}_gains", 1 / gains[left])
                nodes.append(_node("Mul", [left, divisors], [source], source))
            nodes.append(
                _node(
                    "DynamicQuantizeLinear", [source], [activation, scale, zero], f"{left}_quantize"
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
