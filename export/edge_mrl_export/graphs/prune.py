"""Dropping what an output does not need: nodes of unused outputs, and weights nobody reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import onnx


def prune(
    nodes: Sequence[onnx.NodeProto],
    initializers: Sequence[onnx.TensorProto],
    outputs: Iterable[str],
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto], frozenset[str]]:
    """Keep what the outputs depend on.

    Args:
        nodes: in an order in which each comes after those it reads, as ONNX asks.
        initializers: the graph's constants.
        outputs: names of the values that are wanted.

    Returns:
        The nodes and constants that are left, in their order, and the names of all values
        that are read.
    """
    used = set(outputs)
    kept = []
    for node in reversed(nodes):
        if used.intersection(node.output):
            kept.append(node)
            used.update(_reads(node))
    kept.reverse()
    return kept, [tensor for tensor in initializers if tensor.name in used], frozenset(used)


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """Names that a node reads, also inside the branches of an If or the body of a Loop."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _reads(inner)
