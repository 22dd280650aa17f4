"""Writing a TFLite file from the objects of LiteRT's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flatbuffers import Builder

_ALIGNMENT = 16
"""Where a tensor's bytes must begin (TFLite schema, `force_align` of Buffer.data)."""

_IDENTIFIER = b"TFL3"


def serialize(model: Any, size: int) -> bytes:
    """The bytes of a file.

    Args:
        model: a `ModelT`.
        size: about how many bytes to expect.
    """
    import flatbuffers

    builder = flatbuffers.Builder(size)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def aligned_buffer(schema: Any, data: bytes) -> Any:
    """A Buffer whose bytes begin where TFLite wants them: the generated code leaves that to
    chance."""

    class Aligned(schema.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Builder) -> int:  # noqa: N802, the generated class's name
            builder.StartVector(1, len(data), _ALIGNMENT)
            builder.head -= len(data)
            builder.Bytes[builder.head : builder.head + len(data)] = data
            vector = builder.EndVector()
            schema.BufferStart(builder)
            schema.BufferAddData(builder, vector)
            return int(schema.BufferEnd(builder))

    return Aligned()
