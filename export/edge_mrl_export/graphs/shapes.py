"""What shape inference knows of a graph: the shapes of its values, and sizes that it computes
although they are always the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx

from edge_mrl_export.graphs.constants import outline

Shape = tuple[int | None, ...]
"""None for an axis whose length depends on the texts."""


def known_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """The shapes of values, by name; a value that nothing is known of is missing."""
    inferred = onnx.shape_inference.infer_shapes(outline(model), data_prop=True).graph
    return {
        value.name: tuple(
            # Exporters write 0 for a length they do not know.
            axis.dim_value or None
            for axis in value.type.tensor_type.shape.dim
        )
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
        if value.type.tensor_type.HasField("shape")
    }


def named_constants(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Constants by name, whether they are initializers or nodes."""
    found = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = node.attribute[0].t
    return found


def fold_known_sizes(model: onnx.ModelProto) -> None:
    """Make sizes that a graph reads off its own values constants, in place; no vector changes.

    Exported attention computes its scale from the width of a head anew for every text. Of a
    constant, an engine makes a factor of the product that follows.
    """
    shapes = known_shapes(model)
    constants = named_constants(model)
    measured = {
        node.output[0]: shapes[node.input[0]]
        for node in model.graph.node
        if node.op_type == "Shape" and not node.attribute and node.input[0] in shapes
    }
    kept = []
    for node in model.graph.node:
        size = _read(node, measured, constants)
        if size is None:
            kept.append(node)
        else:
            model.graph.initializer.append(onnx.numpy_helper.from_array(size, node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _read(
    node: onnx.NodeProto,
    measured: Mapping[str, Shape],
    constants: Mapping[str, onnx.TensorProto],
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None:
    """The lengths that a node picks from a shape, if they are known."""
    if node.op_type not in ("Gather", "Slice") or node.input[0] not in measured:
        return None
    if not all(name in constants for name in node.input[1:]):
        return None
    places = np.arange(len(measured[node.input[0]]))
    given = [onnx.numpy_helper.to_array(constants[name]) for name in node.input[1:]]
    if node.op_type == "Gather":
        picked = places[given[0]]
    else:
        step = int(given[3][0]) if len(given) == 4 else 1
        picked = places[int(given[0][0]) : int(given[1][0]) : step]
    lengths = _lengths(measured[node.input[0]], picked.reshape(-1))
    return None if lengths is None else np.array(lengths, dtype=np.int64).reshape(picked.shape)


def _lengths(shape: Shape, places: Iterable[int]) -> list[int] | None:
    lengths = []
    for place in places:
        length = shape[place]
        if length is None:
            return None
        lengths.append(length)
    return lengths
