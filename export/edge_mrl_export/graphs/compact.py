"""Nodes and constants without what only their makers read: equal constants written many times,
long names of values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import count

import onnx

from edge_mrl_export.graphs.constants import is_in_file, values


def compact(
    nodes: Iterable[onnx.NodeProto], initializers: Iterable[onnx.TensorProto], ends: Collection[str]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Store equal constants once and number the values; no result changes.

    Constants keep their names and nodes theirs, so an engine's message still says where it comes
    from.

    Args:
        nodes: of a whole graph; they are not changed.
        initializers: the graph's constants.
        ends: names of its inputs and outputs, which stay.

    Returns:
        The nodes that are no constants, and the constants that differ from each other.
    """
    others, constants, renamed = _merge(nodes, initializers, ends)
    taken = {*ends, *(tensor.name for tensor in constants)}
    taken.update(name for node in others for inner in _graphs(node) for name in _defined(inner))
    numbers = (name for name in map("v{}".format, count()) if name not in taken)
    for node in others:
        renamed.update(
            (output, next(numbers)) for output in node.output if output and output not in ends
        )
    return [_renamed(node, renamed) for node in others], constants


def _merge(
    nodes: Iterable[onnx.NodeProto], initializers: Iterable[onnx.TensorProto], ends: Collection[str]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto], dict[str, str]]:
    """The nodes that are no constants, the constants without equals, and which name stands for
    which."""
    first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    kept: list[onnx.TensorProto] = []
    renamed: dict[str, str] = {}

    def add(tensor: onnx.TensorProto) -> None:
        if tensor.name in ends:
            kept.append(tensor)
            return
        name = first.setdefault(_content(tensor), tensor.name)
        if name == tensor.name:
            kept.append(tensor)
        renamed[tensor.name] = name

    for tensor in initializers:
        add(tensor)
    others: list[onnx.NodeProto] = []
    for node in nodes:
        value = _constant(node)
        if value is None or node.output[0] in ends:
            others.append(node)
        else:
            add(value)
    return others, kept, renamed


def _constant(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """What a Constant node holds, where that is a tensor."""
    if node.op_type != "Constant" or [item.name for item in node.attribute] != ["value"]:
        return None
    tensor = onnx.TensorProto()
    tensor.CopyFrom(node.attribute[0].t)
    tensor.name = node.output[0]
    return tensor


def _content(tensor: onnx.TensorProto) -> tuple[int, tuple[int, ...], bytes]:
    data = values(tensor).tobytes() if is_in_file(tensor) else tensor.raw_data
    if not data:
        nameless = onnx.TensorProto()
        nameless.CopyFrom(tensor)
        nameless.name = ""
        data = nameless.SerializeToString(deterministic=True)
    return tensor.data_type, tuple(tensor.dims), sha256(data).digest()


def _renamed(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    """A copy that reads and gives the values of other names, in its inner graphs too."""
    result = onnx.NodeProto()
    result.CopyFrom(node)
    _rename(result, names)
    return result


def _rename(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    node.input[:] = [names.get(name, name) for name in node.input]
    node.output[:] = [names.get(name, name) for name in node.output]
    for graph in _graphs(node):
        for inner in graph.node:
            _rename(inner, names)
        for output in graph.output:
            output.name = names.get(output.name, output.name)


def _graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The branches of an If, the body of a Loop."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _defined(graph: onnx.GraphProto) -> Sequence[str]:
    names = [value.name for value in graph.input]
    names += [tensor.name for tensor in graph.initializer]
    for node in graph.node:
        names += node.output
        for inner in _graphs(node):
            names += _defined(inner)
    return names
