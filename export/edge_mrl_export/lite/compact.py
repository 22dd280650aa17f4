"""A TFLite file of several signatures in fewer bytes, with the same numbers.

Every signature is a subgraph with tensors of its own. They share the weights already, but each has
its own copy of every weight's scales and zero points, and a name for every step that repeats the
path of the torch modules. Here equal ones are stored once, as the format allows (an offset may be
pointed at twice), and the names, which nothing reads, go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_mrl_export.lite.flatbuffer import aligned_buffer, serialize

if TYPE_CHECKING:
    from flatbuffers import Builder


def compact(model: bytes) -> bytes:
    """Write a TFLite file anew.

    Args:
        model: a file of less than 2 GB.

    Returns:
        The same signatures, operations and constants. Tensors keep their names only where they are
        inputs or outputs.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = schema.ModelT.InitFromPackedBuf(model, 0)
    content.buffers = [_inside(schema, buffer, model) for buffer in content.buffers]
    shared: dict[object, int] = {}
    for graph in content.subgraphs:
        ends = {*graph.inputs, *graph.outputs}
        for number, tensor in enumerate(graph.tensors):
            if number not in ends:
                tensor.name = None
            if _is_shareable(tensor.quantization):
                tensor.quantization = _shared(schema, tensor.quantization, shared)
    return serialize(content, len(model))


def _inside(schema: Any, buffer: Any, model: bytes) -> Any:
    """A Buffer with its bytes; the converter puts them behind the tables of the file."""
    # 0 and 1 stand for no offset.
    if buffer.offset > 1:
        return aligned_buffer(schema, model[buffer.offset : buffer.offset + buffer.size])
    if buffer.data is None or not len(buffer.data):
        return buffer
    return aligned_buffer(schema, np.asarray(buffer.data, dtype=np.uint8).tobytes())


def _is_shareable(quantization: Any) -> bool:
    return (
        quantization is not None
        and quantization.details is None
        and quantization.scale is not None
        and quantization.zeroPoint is not None
    )


def _shared(schema: Any, quantization: Any, known: dict[object, int]) -> Any:
    """Quantisation parameters of which an equal one, or an equal list in them, is written once."""
    scales = np.asarray(quantization.scale, dtype=np.float32)
    zeros = np.asarray(quantization.zeroPoint, dtype=np.int64)
    axis = int(quantization.quantizedDimension)
    key = (scales.tobytes(), zeros.tobytes(), axis)

    def vector(builder: Builder, array: np.ndarray[Any, Any]) -> int:
        name = (array.dtype.str, array.tobytes())
        if name not in known:
            known[name] = builder.CreateNumpyVector(array)
        return known[name]

    class Shared(schema.QuantizationParametersT):  # type: ignore[misc]
        def Pack(self, builder: Builder) -> int:  # noqa: N802, the generated class's name
            if key not in known:
                scale, zero = vector(builder, scales), vector(builder, zeros)
                schema.QuantizationParametersStart(builder)
                schema.QuantizationParametersAddScale(builder, scale)
                schema.QuantizationParametersAddZeroPoint(builder, zero)
                schema.QuantizationParametersAddQuantizedDimension(builder, axis)
                known[key] = int(schema.QuantizationParametersEnd(builder))
            return known[key]

    return Shared()
