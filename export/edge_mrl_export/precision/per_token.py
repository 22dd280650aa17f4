"""Activations quantised with a scale for each token.

The outputs of activation functions differ widely: in MiniLM the first token has numbers of up to
24, half of the others none above 3, and with one scale for the text these keep an eighth of its
steps. QuantizeLinear takes a scale for each row of a matrix; the product of integers takes one
zero point, so it is a constant, and the scales come after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from edge_mrl_export.precision.rewrite import Rewriter
from edge_mrl_export.precision.symmetric import LEVELS, QuantizedMatrix

CONTRIBUTED = "com.microsoft"
"""The operator set of MatMulIntegerToFloat, which ONNX Runtime makes of products of integers."""

_SHALLOW_ZERO = 16
"""The code of 0 where numbers below it are small: 239 codes are left above."""


@dataclass(frozen=True, slots=True)
class TokenCodes:
    """Names: the `codes`, uint8 of the activation's shape, their `zero`, and the `scales`
    [..., 1]."""

    codes: str
    zero: str
    scales: str


def quantize_tokens(
    rewriter: Rewriter, value: str, width: int, depth: float | None
) -> tuple[list[onnx.NodeProto], TokenCodes]:
    """Nodes that quantise an activation along its last axis.

    Args:
        rewriter: where the constants go.
        value: name of the activation, [batch, tokens, width].
        width: its last axis.
        depth: how far below 0 a number can be; None where nothing is known, and then as far as
            above.

    Returns:
        The nodes and what they give.
    """
    zero = 2**7 if depth is None else _SHALLOW_ZERO
    levels = LEVELS if depth is None else 2**8 - 1 - zero
    # A scale is no 0, and codes reach down to the lowest number.
    least = max((depth or 0) / zero, float(np.finfo(np.float32).tiny))
    part = f"{value}_{{}}".format
    axis = rewriter.add("tokens_axis", np.array([-1], dtype=np.int64))
    rows = rewriter.add(f"tokens_rows_{width}", np.array([-1, width], dtype=np.int64))
    step = rewriter.add(f"tokens_step_{levels}", np.array(1 / levels, dtype=np.float32))
    floor = rewriter.add(f"tokens_least_{least}", np.array(least, dtype=np.float32))
    code = np.array([zero], dtype=np.uint8)
    filling = onnx.numpy_helper.from_array(code)
    nodes = [_node("ReduceMax", [value, axis], part("highest"))]
    peak = part("highest")
    if depth is None:
        peak = part("peak")
        nodes += [
            _node("ReduceMin", [value, axis], part("lowest")),
            _node("Neg", [part("lowest")], part("deepest")),
            _node("Max", [part("highest"), part("deepest")], peak),
        ]
    nodes += [
        _node("Mul", [peak, step], part("step")),
        _node("Max", [part("step"), floor], part("scales")),
        # QuantizeLinear has scales along one axis, and a batch has two.
        _node("Reshape", [part("scales"), axis], part("scale_list")),
        _node("Reshape", [value, rows], part("rows")),
        _node("Shape", [part("scale_list")], part("count")),
        _node(
            "ConstantOfShape",
            [part("count")],
            part("zeros"),
            value=filling,
        ),
        _node(
            "QuantizeLinear",
            [part("rows"), part("scale_list"), part("zeros")],
            part("row_codes"),
            axis=0,
        ),
        _node("Shape", [value], part("shape")),
        _node("Reshape", [part("row_codes"), part("shape")], part("codes")),
    ]
    constant = rewriter.add(f"tokens_zero_{zero}", code.reshape(()))
    return nodes, TokenCodes(part("codes"), constant, part("scales"))


def token_product(
    rewriter: Rewriter, node: onnx.NodeProto, left: TokenCodes, weight: str, right: QuantizedMatrix
) -> list[onnx.NodeProto]:
    """Nodes in the place of a MatMul of a quantised activation and a weight of that name."""
    rewriter.use_domain(CONTRIBUTED, 1)
    codes = rewriter.add(f"{weight}_codes", right.codes)
    scales = rewriter.add(f"{weight}_scales", right.scales)
    one = rewriter.add("tokens_one", np.array(1, dtype=np.float32))
    product = f"{node.name}_integer"
    return [
        _node(
            "MatMulIntegerToFloat",
            [left.codes, codes, one, scales, left.zero],
            product,
            domain=CONTRIBUTED,
        ),
        onnx.helper.make_node("Mul", [product, left.scales], list(node.output), name=node.name),
    ]


def _node(op: str, inputs: list[str], output: str, **attributes: object) -> onnx.NodeProto:
    return onnx.helper.make_node(op, inputs, [output], name=output, **attributes)
