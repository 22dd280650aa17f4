"""A TFLite file of several signatures in fewer bytes, with the same numbers.

Every signature is a subgraph with tensors of its own. They share the weights already, but each has
its own copy of every weight's scales, of every shape and option, and a name for every step that
repeats the path of the torch modules. Here equal ones are stored once, as the format allows (an
offset may be pointed at twice), and the names, which nothing reads, go."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_mrl_export.lite.flatbuffer import serialize

if TYPE_CHECKING:
    from flatbuffers import Builder


def compact(content: Any) -> bytes:
    """Write a model.

    Args:
        content: a `ModelT`, used up by this.

    Returns:
        A file with the same signatures, operations and constants. Tensors keep their names only
        where they are inputs or outputs.
    """
    for number, graph in enumerate(content.subgraphs):
        signatures = [one for one in content.signatureDefs if one.subgraphIndex == number]
        _drop_unused_tensors(graph, signatures)
    _drop_unused_buffers(content)
    written: dict[Hashable, int] = {}
    for graph in content.subgraphs:
        ends = {*graph.inputs, *graph.outputs}
        for number, tensor in enumerate(graph.tensors):
            if number not in ends:
                tensor.name = None
        graph.tensors = [_Once(tensor, written) for tensor in graph.tensors]
        for step in graph.operators:
            if step.builtinOptions is not None:
                step.builtinOptions = _Once(step.builtinOptions, written)
        graph.operators = [_Once(step, written) for step in graph.operators]
    size = sum(len(buffer.data) for buffer in content.buffers if buffer.data is not None)
    return serialize(content, size + 2**20)


def _drop_unused_tensors(graph: Any, signatures: Sequence[Any]) -> None:
    parts = [graph, *graph.operators]
    used = {int(number) for part in parts for number in (*part.inputs, *part.outputs)}
    # -1 stands for an input that is left out.
    kept = sorted(used - {-1})
    places = np.full(len(graph.tensors) + 1, -1, dtype=np.int32)
    places[kept] = np.arange(len(kept))
    for part in parts:
        part.inputs, part.outputs = places[[*part.inputs]], places[[*part.outputs]]
    for signature in signatures:
        for end in (*signature.inputs, *signature.outputs):
            end.tensorIndex = int(places[end.tensorIndex])
    graph.tensors = [graph.tensors[number] for number in kept]


def _drop_unused_buffers(content: Any) -> None:
    from ai_edge_litert import schema_py_generated as schema

    used = {int(tensor.buffer) for graph in content.subgraphs for tensor in graph.tensors}
    used |= {int(entry.buffer) for entry in content.metadata or ()}
    content.buffers = [
        buffer if number in used else schema.BufferT()
        for number, buffer in enumerate(content.buffers)
    ]


class _Once:
    """An object of the schema that is written where its equal was, if one was before."""

    def __init__(self, content: Any, written: dict[Hashable, int]) -> None:
        self.content, self._written = content, written

    def Pack(self, builder: Builder) -> int:  # noqa: N802, as the generated classes call it
        key = _value(self.content)
        if key not in self._written:
            self._written[key] = int(self.content.Pack(builder))
        return self._written[key]


def _value(content: Any) -> Hashable:
    """Equal for two objects of the schema whose bytes would be the same."""
    if isinstance(content, np.ndarray):
        return content.dtype.str, content.tobytes()
    if isinstance(content, _Once):
        return _value(content.content)
    if isinstance(content, list):
        return tuple(map(_value, content))
    if hasattr(content, "Pack"):
        fields = sorted(vars(content).items())
        return type(content).__name__, tuple((name, _value(field)) for name, field in fields)
    found: Hashable = content
    return found
