"""Editing a finished encoder: constants by name, nodes replaced in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import onnx

from edge_mrl.slices import FloatArray
from edge_mrl_export.graphs.constants import values
from edge_mrl_export.graphs.encoder import with_nodes

MIN_WEIGHTS = 1024
"""Smaller matrices stay in float32: the added nodes would cost more than the bytes they save."""


class Rewriter:
    """The nodes and constants of an encoder while a precision pass works on them.

    Args:
        model: a finished encoder; it is not changed.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._added: dict[str, onnx.TensorProto] = {}
        self._nodes = list(model.graph.node)
        self._domains: dict[str, int] = {}

    def matrix(self, name: str) -> FloatArray | None:
        """The constant of that name if it is a float32 matrix worth quantising, else None."""
        tensor = self._constants.get(name)
        if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) != 2:
            return None
        if tensor.dims[0] * tensor.dims[1] < MIN_WEIGHTS:
            return None
        return np.asarray(values(tensor), dtype=np.float32)

    def add(self, name: str, array: npt.NDArray[np.generic]) -> str:
        """Add a constant, once for each name."""
        if name not in self._added:
            self._added[name] = onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def use_domain(self, domain: str, version: int) -> None:
        """Declare an operator set beside ONNX's own."""
        self._domains[domain] = version

    def replace(self, rule: Callable[[onnx.NodeProto], Iterable[onnx.NodeProto] | None]) -> None:
        """Pass every node through `rule`: what it gives takes the node's place, None leaves it."""
        nodes: list[onnx.NodeProto] = []
        for node in self._nodes:
            new = rule(node)
            nodes.extend([node] if new is None else new)
        self._nodes = nodes

    def finish(self) -> onnx.ModelProto:
        """The rewritten model, checked, without the constants that nobody reads any more."""
        return with_nodes(
            self._model,
            self._nodes,
            [*self._model.graph.initializer, *self._added.values()],
            self._domains,
        )
