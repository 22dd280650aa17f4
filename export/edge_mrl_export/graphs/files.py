"""A finished graph as files: its nodes in one, its large constants in another beside it, which an
engine maps instead of reading."""

from __future__ import annotations

from pathlib import Path

import onnx

from edge_mrl_export.graphs.checking import check
from edge_mrl_export.graphs.constants import content, is_large, move_to_file, take_in_small

IR_VERSION = 10
"""What ONNX Runtime has read since 1.18; newer tools write newer versions that older boards
refuse."""

DATA_SUFFIX = ".data"
ALIGNMENT = 64
"""Of each constant, in bytes: a cache line, and no processor's registers are wider."""


def write_graph(model: onnx.ModelProto, path: Path) -> tuple[str, ...]:
    """Write a model without anything that differs from run to run.

    Args:
        model: used up by this: its constants move to the files.
        path: of the graph. The constants' file has this name and `DATA_SUFFIX`.

    Returns:
        The names of the files: the graph's and, if a constant is large, the constants'.

    Raises:
        ExportError: it is not valid.
    """
    _leave_out_what_differs(model)
    check(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = path.with_name(path.name + DATA_SUFFIX)
    large = [tensor for tensor in model.graph.initializer if is_large(tensor)]
    if large:
        with data.open("wb") as stream:
            for tensor in large:
                stream.write(bytes(-stream.tell() % ALIGNMENT))
                offset = stream.tell()
                stream.write(content(tensor))
                move_to_file(tensor, data.name, offset, stream.tell() - offset)
    take_in_small(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return (path.name, data.name) if large else (path.name,)


def _leave_out_what_differs(model: onnx.ModelProto) -> None:
    model.ir_version = min(model.ir_version, IR_VERSION)
    model.producer_name, model.producer_version, model.doc_string = "edge-mrl", "", ""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del model.metadata_props[:]
    del model.graph.value_info[:]
