"""Tables of a quantised TFLite file as int8 rows, a scale each, read row by row.

What the converter and the quantiser leave costs bytes and memory: a zero point of 64 bits for every
word, a float32 table of positions in every signature, and in weight-only files a float32 copy of
the whole table of words in memory, for each signature. Here a file has each table once, and makes
float32 of the rows that a text needs, as static tables do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_mrl_export.lite.flatbuffer import (
    aligned_buffer,
    code_of,
    operation,
    operator_code,
    tensor,
)
from edge_mrl_export.precision.symmetric import quantize


class TableRewriter:
    """Rewrites the tables of a model in place.

    Args:
        content: a `ModelT`.
    """

    def __init__(self, content: Any) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema, self._content = schema, content
        self._stored: dict[tuple[str, bytes], int] = {}

    def gather_words(self) -> None:
        """Give each EMBEDDING_LOOKUP in an int8 table the form of two GATHERs and a product."""
        for graph in self._content.subgraphs:
            made_by = {int(step.outputs[0]): step for step in graph.operators}
            steps = []
            for step in graph.operators:
                table = self._table(graph, step, made_by)
                steps += [step] if table is None else self._gathered(graph, step, table)
            graph.operators = _needed(graph, steps)

    def share_positions(self, *, eight_bits: bool) -> None:
        """Store a table of which every signature has the first rows once.

        Such a table is a constant that is only added to something: the positions of BERT. Longer
        ones begin with the shorter.

        Args:
            eight_bits: whether its rows become int8.
        """
        tables = [
            (graph, number, self._floats(graph, number))
            for graph in self._content.subgraphs
            for number in self._added(graph)
        ]
        tables.sort(key=lambda entry: len(entry[2]))
        for (_, _, shorter), (_, _, longer) in pairwise(tables):
            if shorter.shape[1] != longer.shape[1] or not np.array_equal(
                shorter, longer[: len(shorter)]
            ):
                return
        for graph, number, rows in tables:
            steps = self._cut(graph, number, tables[-1][2], len(rows), eight_bits=eight_bits)
            graph.operators = [*steps, *graph.operators]

    def _table(self, graph: Any, step: Any, made_by: dict[int, Any]) -> int | None:
        """The int8 table with a scale for each row that a lookup reads, if it reads one."""
        if not self._is(step, "EMBEDDING_LOOKUP"):
            return None
        number = int(step.inputs[1])
        before = made_by.get(number)
        if before is not None and self._is(before, "DEQUANTIZE"):
            number = int(before.inputs[0])
        table = graph.tensors[number]
        scales = None if table.quantization is None else table.quantization.scale
        if (
            table.type != self._schema.TensorType.INT8
            or scales is None
            or len(scales) != table.shape[0]
            or table.quantization.quantizedDimension != 0
            or np.any(table.quantization.zeroPoint)
        ):
            return None
        return number

    def _gathered(self, graph: Any, step: Any, table: int) -> list[Any]:
        schema, types = self._schema, self._schema.TensorType
        content = graph.tensors[table]
        scales = np.asarray(content.quantization.scale, dtype=np.float32).reshape(-1, 1)
        scales_of_rows, before = self._scales(graph, scales)
        (count, width), ids = map(int, graph.tensors[int(step.outputs[0])].shape), step.inputs[0]
        # A tensor of its own: the quantised one may have other readers.
        codes = self._tensor(graph, content.shape, types.INT8, int(content.buffer))
        rows = self._tensor(graph, (count, width), types.INT8)
        floats = self._tensor(graph, (count, width), types.FLOAT32)
        factors = self._tensor(graph, (count, 1), types.FLOAT32)
        return [
            *before,
            self._step("GATHER", [codes, ids], rows, schema.GatherOptionsT()),
            self._step("CAST", [rows], floats, schema.CastOptionsT()),
            self._step("GATHER", [scales_of_rows, ids], factors, schema.GatherOptionsT()),
            self._step("MUL", [floats, factors], int(step.outputs[0]), schema.MulOptionsT()),
        ]

    def _scales(self, graph: Any, scales: npt.NDArray[np.float32]) -> tuple[int, list[Any]]:
        """A float32 tensor of scales, and what makes it of halves where three digits survive those:
        the direction of a row does not depend on its scale."""
        with np.errstate(over="ignore"):
            halves = scales.astype(np.float16)
        if not np.allclose(halves.astype(np.float32), scales, rtol=2**-11, atol=0):
            return self._constant(graph, scales), []
        output = self._tensor(graph, scales.shape, self._schema.TensorType.FLOAT32)
        stored = self._constant(graph, halves)
        options = self._schema.DequantizeOptionsT()
        return output, [self._step("DEQUANTIZE", [stored], output, options)]

    def _added(self, graph: Any) -> list[int]:
        """Constants (1, rows, width) that are read by additions alone."""
        reads: dict[int, set[bool]] = {}
        for step in graph.operators:
            for number in step.inputs:
                reads.setdefault(int(number), set()).add(self._is(step, "ADD"))
        return [
            number
            for number, found in reads.items()
            if found == {True}
            and self._content.buffers[graph.tensors[number].buffer].data is not None
            and graph.tensors[number].type == self._schema.TensorType.FLOAT32
            and len(graph.tensors[number].shape) == 3
            and graph.tensors[number].shape[0] == 1
            and graph.tensors[number].shape[1] > 1
        ]

    def _floats(self, graph: Any, number: int) -> npt.NDArray[np.float32]:
        content = graph.tensors[number]
        data = self._content.buffers[content.buffer].data
        return np.frombuffer(bytes(data), dtype=np.float32).reshape(content.shape[1:])

    def _cut(
        self,
        graph: Any,
        number: int,
        table: npt.NDArray[np.float32],
        count: int,
        *,
        eight_bits: bool,
    ) -> list[Any]:
        """Steps that make the tensor `number` from the first rows of a shared table."""
        schema, types = self._schema, self._schema.TensorType
        graph.tensors[number].buffer = 0
        if not eight_bits:
            return [self._slice(graph, table[None], count, number)]
        rows = quantize(table, axis=0)
        shape = graph.tensors[number].shape
        codes = self._tensor(graph, shape, types.INT8)
        floats = self._tensor(graph, shape, types.FLOAT32)
        factors = self._tensor(graph, (1, count, 1), types.FLOAT32)
        return [
            self._slice(graph, rows.codes[None], count, codes),
            self._step("CAST", [codes], floats, schema.CastOptionsT()),
            self._slice(graph, rows.scales.reshape(1, -1, 1), count, factors),
            self._step("MUL", [floats, factors], number, schema.MulOptionsT()),
        ]

    def _slice(self, graph: Any, table: npt.NDArray[Any], count: int, output: int) -> Any:
        begin = np.zeros(3, dtype=np.int32)
        size = np.array([1, count, table.shape[2]], dtype=np.int32)
        inputs = [self._constant(graph, array) for array in (table, begin, size)]
        return self._step("SLICE", inputs, output, self._schema.SliceOptionsT())

    def _is(self, step: Any, name: str) -> bool:
        code = code_of(self._content.operatorCodes[step.opcodeIndex])
        return code == int(getattr(self._schema.BuiltinOperator, name))

    def _step(self, name: str, inputs: Sequence[int], output: int, options: Any) -> Any:
        wanted = operator_code(self._schema, name)
        known = [(code_of(code), code.version) for code in self._content.operatorCodes]
        if (wanted.builtinCode, wanted.version) not in known:
            known.append((wanted.builtinCode, wanted.version))
            self._content.operatorCodes.append(wanted)
        place = known.index((wanted.builtinCode, wanted.version))
        return operation(self._schema, place, inputs, output, options)

    def _tensor(self, graph: Any, shape: Sequence[int], kind: int, buffer: int = 0) -> int:
        graph.tensors.append(tensor(self._schema, shape, kind, buffer))
        return len(graph.tensors) - 1

    def _constant(self, graph: Any, array: npt.NDArray[Any]) -> int:
        """A tensor of a constant; the bytes are stored once for all signatures."""
        types = self._schema.TensorType
        kinds = {
            "int8": types.INT8,
            "int32": types.INT32,
            "float16": types.FLOAT16,
            "float32": types.FLOAT32,
        }
        key = (array.dtype.name, array.tobytes())
        if key not in self._stored:
            self._stored[key] = len(self._content.buffers)
            self._content.buffers.append(aligned_buffer(self._schema, key[1]))
        return self._tensor(graph, array.shape, kinds[array.dtype.name], self._stored[key])


def _needed(graph: Any, steps: Sequence[Any]) -> list[Any]:
    """The steps whose results are read; a DEQUANTIZE of a whole table no longer is."""
    read = {int(number) for step in steps for number in step.inputs} | {*map(int, graph.outputs)}
    return [step for step in steps if read & {int(number) for number in step.outputs}]
