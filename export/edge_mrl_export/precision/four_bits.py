"""`int4`: the weights of matrix products in 4 bits with a scale and a zero point for every 32, the
arithmetic float32.

The operator is MatMulNBits of ONNX Runtime (com.microsoft, ContribOperators.md), which unpacks
while it multiplies. Embedding tables stay at 8 bits a number: 4 cost more there than they save."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from edge_mrl.slices import FloatArray
from edge_mrl_export.precision.embeddings import quantize_embeddings
from edge_mrl_export.precision.portable import quantize_weights
from edge_mrl_export.precision.rewrite import Rewriter

BLOCK = 32
LEVELS = 15
SHRINKINGS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)
"""Shares of a block's range that are tried: cutting the largest weight off can make all the others
finer. The one with the least squared error is kept."""

FLOAT32_ARITHMETIC = 1
"""MatMulNBits' accuracy_level; 4 would make the activations 8-bit, differently on each machine."""

_DOMAIN = "com.microsoft"


@dataclass(frozen=True, slots=True)
class PackedMatrix:
    """A matrix (k, n) as MatMulNBits takes it: `codes` (n, blocks, 16) uint8, the even place in the
    low nibble; `scales` (n * blocks,) float32; `zeros` (n * ceil(blocks / 2),) uint8, likewise
    packed. value = (code - zero) * scale."""

    codes: npt.NDArray[np.uint8]
    scales: FloatArray
    zeros: npt.NDArray[np.uint8]


def int4(model: onnx.ModelProto) -> onnx.ModelProto:
    """Quantise a finished fp32 encoder; it is not changed."""
    rewriter = Rewriter(model)
    quantize_embeddings(rewriter)
    rewriter.use_domain(_DOMAIN, 1)

    def rule(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        if node.op_type != "MatMul":
            return None
        left, weight = node.input
        matrix = rewriter.matrix(weight)
        if matrix is None:
            return None
        packed = pack(matrix)
        inputs = [
            left,
            rewriter.add(f"{weight}_codes", packed.codes),
            rewriter.add(f"{weight}_scales", packed.scales),
            rewriter.add(f"{weight}_zeros", packed.zeros),
        ]
        return [
            onnx.helper.make_node(
                "MatMulNBits",
                inputs,
                list(node.output),
                name=node.name,
                domain=_DOMAIN,
                K=matrix.shape[0],
                N=matrix.shape[1],
                bits=4,
                block_size=BLOCK,
                accuracy_level=FLOAT32_ARITHMETIC,
            )
        ]

    rewriter.replace(rule)
    # A Gemm has no such operator: its weights become 8-bit.
    quantize_weights(rewriter)
    return rewriter.finish()


def pack(matrix: FloatArray) -> PackedMatrix:
    """Quantise a matrix (k, n) float32 to 4 bits in blocks of 32 down each column."""
    rows, columns = matrix.shape
    blocks = -(-rows // BLOCK)
    padded = np.zeros((columns, blocks * BLOCK), dtype=np.float32)
    padded[:, :rows] = matrix.T
    codes, scales, zeros = _quantize(padded.reshape(columns, blocks, BLOCK))
    if blocks % 2:
        zeros = np.concatenate([zeros, np.zeros((columns, 1), dtype=np.uint8)], axis=1)
    return PackedMatrix(_nibbles(codes), scales.reshape(-1), _nibbles(zeros).reshape(-1))


def _quantize(
    values: FloatArray,
) -> tuple[npt.NDArray[np.uint8], FloatArray, npt.NDArray[np.uint8]]:
    """Codes (n, blocks, 32), scales and zero points (n, blocks)."""
    # Zero must be in range, since its code is the zero point.
    low = np.minimum(values.min(axis=2), 0)
    high = np.maximum(values.max(axis=2), 0)
    best_error = np.full(low.shape, np.inf, dtype=np.float32)
    best_scale, best_zero = np.ones_like(low), np.zeros_like(low)
    for share in SHRINKINGS:
        span = (high - low) * np.float32(share) / LEVELS
        scale = np.where(span < np.finfo(np.float32).tiny, 1, span).astype(np.float32)
        zero = np.clip(np.rint(-low * np.float32(share) / scale), 0, LEVELS)
        codes = _codes(values, scale, zero)
        back = (codes - zero[..., None]) * scale[..., None]
        error = np.square(back - values).sum(axis=2)
        better = error < best_error
        best_error = np.where(better, error, best_error)
        best_scale = np.where(better, scale, best_scale)
        best_zero = np.where(better, zero, best_zero)
    codes = _codes(values, best_scale, best_zero)
    return codes.astype(np.uint8), best_scale.astype(np.float32), best_zero.astype(np.uint8)


def _codes(values: FloatArray, scale: FloatArray, zero: FloatArray) -> FloatArray:
    codes: FloatArray = np.clip(np.rint(values / scale[..., None]) + zero[..., None], 0, LEVELS)
    return codes


def _nibbles(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.bitwise_or(codes[..., 0::2], np.left_shift(codes[..., 1::2], 4, dtype=np.uint8))
