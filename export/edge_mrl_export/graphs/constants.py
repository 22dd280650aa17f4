"""Constants of a graph: the large ones stay in a file beside it, mapped where they are read.

So a model takes its size neither in memory nor of the 2 GB that protobuf holds. ONNX calls it
external data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

LARGE_BYTES = 4096
"""A page of memory. Smaller constants are shapes, axes, biases and the like: tools must see some of
them, and mapping one takes longer than reading it."""


def load_with_files(path: Path) -> onnx.ModelProto:
    """Read a model whose constants may lie in files beside it.

    Args:
        path: an ONNX file of this process's own making. Its folder must stand as long as the model
            is used.

    Returns:
        The model; a large constant that lies in a file names it with its whole path.
    """
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        _name_whole_path(tensor, path.parent)
    take_in_small(model)
    for tensor in _attributes(model.graph.node):
        _name_whole_path(tensor, path.parent)
        _take_in(tensor)
    return model


def is_in_file(tensor: onnx.TensorProto) -> bool:
    """Whether a constant lies in a file."""
    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL)


def values(tensor: onnx.TensorProto) -> npt.NDArray[np.generic]:
    """The numbers of a constant; of one in a file, a map of it that cannot be written to."""
    if not is_in_file(tensor):
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    place = {entry.key: entry.value for entry in tensor.external_data}
    found: npt.NDArray[np.generic] = np.memmap(
        place["location"],
        dtype=onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type),
        mode="r",
        offset=int(place.get("offset", 0)),
        shape=tuple(tensor.dims),
    )
    return np.asarray(found)


def is_large(tensor: onnx.TensorProto) -> bool:
    """Whether a constant belongs in a file of its own."""
    return _size(tensor) >= LARGE_BYTES


def size_of_constants(model: onnx.ModelProto) -> int:
    """Bytes of all of them, wherever they lie. protobuf cannot say it of more than 2 GB."""
    return sum(map(_size, model.graph.initializer))


def content(tensor: onnx.TensorProto) -> bytes | memoryview:
    """The numbers of a constant as ONNX stores them: little-endian, rows one after another."""
    # As bytes, since a buffer cannot have types of fewer bits that numpy has from elsewhere.
    return tensor.raw_data or values(tensor).reshape(-1).view(np.uint8).data


def move_to_file(tensor: onnx.TensorProto, location: str, offset: int, length: int) -> None:
    """Say where in a file a constant's numbers lie, and let go of them."""
    placed = onnx.TensorProto(
        name=tensor.name,
        data_type=tensor.data_type,
        dims=tensor.dims,
        data_location=onnx.TensorProto.EXTERNAL,
    )
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        placed.external_data.add(key=key, value=str(value))
    tensor.CopyFrom(placed)


def take_in_small(model: onnx.ModelProto) -> None:
    """Bring the constants that are not large into the model."""
    for tensor in model.graph.initializer:
        if not is_large(tensor):
            _take_in(tensor)


def outline(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose large constants are inputs of their type and shape, for tools that check a graph
    and write all of it as one message."""
    constants = model.graph.initializer
    known = {value.name for value in model.graph.input}
    inputs = [
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in constants
        if is_large(tensor) and tensor.name not in known
    ]
    graph = onnx.helper.make_graph(
        model.graph.node,
        model.graph.name,
        [*model.graph.input, *inputs],
        model.graph.output,
        [tensor for tensor in constants if not is_large(tensor)],
    )
    return onnx.helper.make_model(
        graph, opset_imports=list(model.opset_import), ir_version=model.ir_version
    )


def _name_whole_path(tensor: onnx.TensorProto, folder: Path) -> None:
    for entry in tensor.external_data:
        if entry.key == "location":
            entry.value = str(folder.absolute() / entry.value)


def _take_in(tensor: onnx.TensorProto) -> None:
    if not is_in_file(tensor):
        return
    tensor.raw_data = values(tensor).tobytes()
    tensor.ClearField("data_location")
    del tensor.external_data[:]


def _size(tensor: onnx.TensorProto) -> int:
    """Bytes of its numbers."""
    kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    return int(math.prod(tensor.dims) * kind.itemsize)


def _attributes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    """Constants within nodes, also inside the branches of an If or the body of a Loop."""
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for graph in (attribute.g, *attribute.graphs):
                yield from graph.initializer
                yield from _attributes(graph.node)
