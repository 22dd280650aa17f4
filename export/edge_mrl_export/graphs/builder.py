"""Appending nodes to an ONNX graph, under names that are the same for the same model."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import onnx


class GraphBuilder:
    """Nodes and constants for the end of a graph.

    Args:
        prefix: begins every name; it must not begin a name of the graph that is appended to.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def node(
        self, op: str, inputs: Sequence[str], output: str | None = None, **attributes: object
    ) -> str:
        """Append one operator and return the name of its first output."""
        name = f"{self._prefix}/{len(self.nodes)}_{op}"
        result = output or f"{name}_out"
        self.nodes.append(
            onnx.helper.make_node(op, list(inputs), [result], name=name, **attributes)
        )
        return result

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike) -> str:
        """Add a constant tensor, once for equal ones, and return its name."""
        array = np.ascontiguousarray(np.asarray(value, dtype=dtype))
        # ascontiguousarray makes a scalar a vector of one.
        array = array.reshape(np.shape(value))
        key = array.dtype.str, array.shape, sha256(array.data).digest()
        if key not in self._known:
            self._known[key] = f"{self._prefix}/constant_{len(self.initializers)}"
            self.initializers.append(onnx.numpy_helper.from_array(array, self._known[key]))
        return self._known[key]
