"""Which values of a graph are outputs of activation functions, and how far below zero they go."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import onnx

from edge_mrl_export.graphs.constants import is_in_file
from edge_mrl_export.graphs.shapes import named_constants

GELU_DEPTH = 0.1701
"""x Phi(x) is nowhere below -0.16998, its form with a tanh nowhere below -0.17005."""

_FUNCTIONS = frozenset({"Elu", "Erf", "Gelu", "HardSwish", "Relu", "Sigmoid", "Tanh"})
_BY_ELEMENT = frozenset({"Add", "Cast", "Div", "Mul", "Neg", "Pow", "Split", "Slice", "Sub"})


class Activations:
    """Reads activation functions off a graph, also where they are written as several nodes."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._producers = {name: node for node in model.graph.node for name in node.output}
        self._constants = named_constants(model)

    def is_one(self, value: str) -> bool:
        """Whether an activation function, perhaps of a gate, lies between the last product of
        matrices and `value`."""
        seen: set[str] = set()
        waiting = [value]
        while waiting:
            node = self._producers.get(waiting.pop())
            if node is None or node.output[0] in seen:
                continue
            seen.add(node.output[0])
            if node.op_type in _FUNCTIONS:
                return True
            if node.op_type in _BY_ELEMENT:
                waiting.extend(node.input)
        return False

    def depth(self, value: str) -> float | None:
        """How far below zero the output of a GELU or a ReLU can be; None for any other value."""
        node = self._producers.get(value)
        if node is None:
            return None
        if node.op_type == "Relu":
            return 0.0
        return GELU_DEPTH if node.op_type == "Gelu" or self._is_gelu(value) else None

    def _is_gelu(self, value: str) -> bool:
        """Whether it is x * (1 + erf(x / sqrt 2)) * 0.5, multiplied in any order."""
        factors = list(self._factors(value))
        halves = [name for name in factors if self._is_number(name, 0.5)]
        brackets = [name for name in factors if self._erf_argument(name) is not None]
        others = [name for name in factors if name not in (*halves, *brackets)]
        return (
            (len(halves), len(brackets), len(others)) == (1, 1, 1)
            and self._erf_argument(brackets[0]) == others[0]
        )  # fmt: skip

    def _factors(self, value: str) -> Iterator[str]:
        node = self._producers.get(value)
        if node is None or node.op_type != "Mul":
            yield value
            return
        for name in node.input:
            yield from self._factors(name)

    def _erf_argument(self, value: str) -> str | None:
        """The x of a value that is 1 + erf(x / sqrt 2)."""
        erf = self._other(value, "Add", lambda name: self._is_number(name, 1))
        node = self._producers.get(erf or "")
        if node is None or node.op_type != "Erf":
            return None
        inner = node.input[0]
        divided = self._producers.get(inner)
        if divided is not None and divided.op_type == "Div":
            x, divisor = divided.input
            return x if self._is_number(divisor, math.sqrt(2)) else None
        return self._other(inner, "Mul", lambda name: self._is_number(name, math.sqrt(0.5)))

    def _other(self, value: str, op: str, is_known: Callable[[str], bool]) -> str | None:
        """Of a node with two inputs, the one beside the one that is known."""
        node = self._producers.get(value)
        if node is None or node.op_type != op:
            return None
        first, second = node.input
        return second if is_known(first) else first if is_known(second) else None

    def _is_number(self, name: str, number: float) -> bool:
        tensor = self._constants.get(name)
        if tensor is None or is_in_file(tensor) or math.prod(tensor.dims) != 1:
            return False
        return bool(np.isclose(onnx.numpy_helper.to_array(tensor).item(), number, rtol=1e-5))
