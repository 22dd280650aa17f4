"""The TFLite file of a static model: gather int8 rows, scale, masked sum, unit length.

Written operation by operation with LiteRT's own schema, so it needs no torch, takes texts of any
length and uses nothing that tflite-runtime 2.14 lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_mrl_export.lite.flatbuffer import (
    aligned_buffer,
    operation,
    operator_code,
    serialize,
    tensor,
)

_SCHEMA_VERSION = 3
_ANY_LENGTH = -1


def static_tflite(
    codes: npt.NDArray[np.int8], scales: npt.NDArray[np.float32], *, token_vectors: bool = False
) -> bytes:
    """Build the file; the table stays int8 in it and in memory.

    Args:
        codes: (vocabulary, dim) int8.
        scales: (vocabulary,) float32.
        token_vectors: whether the file also gives the rows themselves.

    Returns:
        A TFLite file with one signature: input_ids and attention_mask, (1, any length) int32, to
        sentence_embedding, (1, dim) float32 of unit length, and perhaps token_embeddings, (1, any
        length, dim) float32 of any length.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = _Graph(schema)
    types = schema.TensorType
    dim = codes.shape[1]
    row = (1, _ANY_LENGTH)
    ids = graph.tensor("input_ids", row, types.INT32)
    mask = graph.tensor("attention_mask", row, types.INT32)
    rows = graph.tensor("rows", (*row, dim), types.FLOAT32)
    weights = graph.tensor("weights", row, types.FLOAT32)
    gather = schema.GatherOptionsT()
    gather.axis = 0
    # The mean and the sum differ by a factor that the unit length takes away.
    row_codes = graph.step(
        "GATHER", [graph.constant("codes", codes), ids], (*row, dim), types.INT8, gather
    )
    graph.step("CAST", [row_codes], (), 0, schema.CastOptionsT(), rows)
    row_scales = graph.step(
        "GATHER", [graph.constant("scales", scales), ids], row, types.FLOAT32, gather
    )
    present = graph.step("CAST", [mask], row, types.FLOAT32, schema.CastOptionsT())
    graph.step("MUL", [row_scales, present], (), 0, schema.MulOptionsT(), weights)
    axis = graph.constant("axis", np.array([1], dtype=np.int32))
    column = graph.step(
        "EXPAND_DIMS", [weights, axis], (1, 1, _ANY_LENGTH), types.FLOAT32,
        schema.ExpandDimsOptionsT(),
    )  # fmt: skip
    product = graph.step(
        "BATCH_MATMUL", [column, rows], (1, 1, dim), types.FLOAT32, schema.BatchMatMulOptionsT()
    )
    total = graph.step("SUM", [product, axis], (1, dim), types.FLOAT32, schema.ReducerOptionsT())
    vector = graph.step(
        "L2_NORMALIZATION", [total], (1, dim), types.FLOAT32, schema.L2NormOptionsT()
    )
    graph.tensors[vector].name = b"sentence_embedding"
    outputs = {"sentence_embedding": vector}
    if token_vectors:
        # Scales are positive, so the direction is that of the codes.
        graph.tensors[rows].name = b"token_embeddings"
        outputs["token_embeddings"] = rows
    model = graph.model({"input_ids": ids, "attention_mask": mask}, outputs)
    return serialize(model, codes.nbytes + scales.nbytes + 2**16)


class _Graph:
    """Tensors, constants and operations in the order they are added; a tensor is its number."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self.tensors: list[Any] = []
        # TFLite takes the first buffer for "no data".
        self._buffers: list[Any] = [schema.BufferT()]
        self._operations: list[Any] = []
        self._codes: list[str] = []

    def tensor(self, name: str, shape: Sequence[int], kind: int, buffer: int = 0) -> int:
        entry = tensor(self._schema, [max(size, 1) for size in shape], kind, buffer)
        entry.name = name.encode()
        entry.shapeSignature = list(shape)
        self.tensors.append(entry)
        return len(self.tensors) - 1

    def constant(self, name: str, array: npt.NDArray[Any]) -> int:
        types = self._schema.TensorType
        kinds = {"int8": types.INT8, "int32": types.INT32, "float32": types.FLOAT32}
        self._buffers.append(aligned_buffer(self._schema, np.ascontiguousarray(array).tobytes()))
        return self.tensor(name, array.shape, kinds[array.dtype.name], len(self._buffers) - 1)

    def step(
        self,
        operator: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        kind: int,
        options: Any,
        output: int | None = None,
    ) -> int:
        """Append an operation; without `output` its result is a new tensor."""
        if output is None:
            output = self.tensor(f"{operator.lower()}_{len(self.tensors)}", shape, kind)
        if operator not in self._codes:
            self._codes.append(operator)
        code = self._codes.index(operator)
        self._operations.append(operation(self._schema, code, inputs, output, options))
        return output

    def model(self, inputs: dict[str, int], outputs: dict[str, int]) -> Any:
        schema = self._schema
        graph = schema.SubGraphT()
        graph.name = b"main"
        graph.tensors, graph.operators = self.tensors, self._operations
        graph.inputs, graph.outputs = list(inputs.values()), list(outputs.values())
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"tokens", 0
        signature.inputs = [self._named(*entry) for entry in inputs.items()]
        signature.outputs = [self._named(*entry) for entry in outputs.items()]
        model = schema.ModelT()
        model.version, model.description = _SCHEMA_VERSION, b"edge-mrl static table"
        model.subgraphs, model.buffers, model.signatureDefs = [graph], self._buffers, [signature]
        model.operatorCodes = [operator_code(schema, name) for name in self._codes]
        return model

    def _named(self, name: str, tensor: int) -> Any:
        entry = self._schema.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), tensor
        return entry
