"""Reading and writing TFLite files as the objects of LiteRT's schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from flatbuffers import Builder

_ALIGNMENT = 16
"""Where a tensor's bytes must begin (TFLite schema, `force_align` of Buffer.data)."""

_IDENTIFIER = b"TFL3"

_VERSIONS = {"GATHER": 2, "SLICE": 2, "DEQUANTIZE": 3}
"""int8 came to GATHER and SLICE with their second version, float16 to DEQUANTIZE with its third; of
the others the first has all that is used here."""


def parse(model: bytes) -> Any:
    """A file of less than 2 GB as a `ModelT`, its buffers complete."""
    from ai_edge_litert import schema_py_generated as schema

    content = schema.ModelT.InitFromPackedBuf(model, 0)
    content.buffers = [_inside(schema, buffer, model) for buffer in content.buffers]
    return content


def _inside(schema: Any, buffer: Any, model: bytes) -> Any:
    """A Buffer with its bytes; the converter puts them behind the tables of the file."""
    # 0 and 1 stand for no offset.
    if buffer.offset > 1:
        return aligned_buffer(schema, model[buffer.offset : buffer.offset + buffer.size])
    if buffer.data is None or not len(buffer.data):
        return buffer
    return aligned_buffer(schema, np.asarray(buffer.data, dtype=np.uint8).tobytes())


def serialize(model: Any, size: int) -> bytes:
    """The bytes of a file, equal arrays of it written once.

    Args:
        model: a `ModelT`.
        size: about how many bytes to expect.
    """
    import flatbuffers

    class Sharing(flatbuffers.Builder):  # type: ignore[misc]
        written: ClassVar[dict[tuple[str, bytes], int]] = {}

        def CreateNumpyVector(self, x: np.ndarray[Any, Any]) -> int:  # noqa: N802
            key = (x.dtype.str, x.tobytes())
            if key not in self.written:
                self.written[key] = int(super().CreateNumpyVector(x))
            return self.written[key]

    builder = Sharing(size)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def aligned_buffer(schema: Any, data: bytes) -> Any:
    """A Buffer whose bytes begin where TFLite wants them: the generated code leaves that to
    chance."""

    class Aligned(schema.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Builder) -> int:  # noqa: N802, the generated class's name
            builder.StartVector(1, len(self.data), _ALIGNMENT)
            builder.head -= len(self.data)
            builder.Bytes[builder.head : builder.head + len(self.data)] = self.data
            vector = builder.EndVector()
            schema.BufferStart(builder)
            schema.BufferAddData(builder, vector)
            return int(schema.BufferEnd(builder))

    buffer = Aligned()
    buffer.data = data
    return buffer


def tensor(schema: Any, shape: Sequence[int], kind: int, buffer: int = 0) -> Any:
    """A tensor without a name; buffer 0 holds nothing, so it is no constant."""
    entry = schema.TensorT()
    entry.type, entry.buffer = kind, buffer
    entry.shape = np.array(shape, dtype=np.int32)
    entry.hasRank = True
    return entry


def operation(schema: Any, code: int, inputs: Sequence[int], output: int, options: Any) -> Any:
    """An operation with one output; `code` is its place among the model's operator codes."""
    entry = schema.OperatorT()
    entry.opcodeIndex = code
    entry.inputs = np.array(inputs, dtype=np.int32)
    entry.outputs = np.array([output], dtype=np.int32)
    union = schema.BuiltinOptions
    entry.builtinOptionsType = getattr(union, type(options).__name__.removesuffix("T"))
    entry.builtinOptions = options
    return entry


def operator_code(schema: Any, name: str) -> Any:
    """What names an operation in the model's list of them."""
    entry = schema.OperatorCodeT()
    code = getattr(schema.BuiltinOperator, name)
    # Readers take the larger of the two fields; the old one holds what fits a byte.
    entry.builtinCode = entry.deprecatedBuiltinCode = code
    entry.version = _VERSIONS.get(name, 1)
    return entry


def code_of(entry: Any) -> int:
    """The BuiltinOperator that an operator code stands for."""
    return max(int(entry.builtinCode), int(entry.deprecatedBuiltinCode))
