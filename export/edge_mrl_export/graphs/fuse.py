"""ONNX Runtime's own fusions, made once at export.

An engine that finds them made starts in half the time, and gives the same numbers: it would make
the same ones. Only those are taken whose result is the same on every machine: none of its fusions
for one processor."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime

from edge_mrl.errors import ExportError
from edge_mrl_export.graphs.constants import LARGE_BYTES, load_with_files
from edge_mrl_export.graphs.encoder import with_nodes
from edge_mrl_export.graphs.files import write_graph

DOMAIN = "com.microsoft"

_MATRIX_ATTRIBUTES = ("alpha", "transA", "transB", "transBatchA", "transBatchB")
KNOWN_SINCE_1_19: dict[str, tuple[int, tuple[str, ...]]] = {
    "BiasGelu": (2, ()),
    "DynamicQuantizeMatMul": (5, ()),
    "FastGelu": (2, ()),
    "FusedMatMul": (2, _MATRIX_ATTRIBUTES),
    "Gelu": (1, ()),
    "MatMulIntegerToFloat": (7, ()),
    "QuickGelu": (1, ("alpha",)),
    "SkipLayerNormalization": (5, ("epsilon",)),
}
"""Operators of `DOMAIN` that the oldest ONNX Runtime of the `onnx` extra has too, with the most
inputs and the attributes that it knows. A later one may fuse more, which older boards would
refuse."""

_FATAL_ONLY = 4

OUTSIDE_ONNX = ("SimplifiedLayerNormFusion",)
"""Fusions whose operators are in ONNX's own domain without being of ONNX, so that other tools
refuse the file. The device's engine makes them as it starts."""

_SETTINGS = {
    "session.optimized_model_external_initializers_file_name": "fused.data",
    "session.optimized_model_external_initializers_min_size_in_bytes": str(LARGE_BYTES),
    # The session is never run.
    "session.disable_prepacking": "1",
}


def fuse(model: onnx.ModelProto, scratch: Path) -> onnx.ModelProto:
    """Take over what ONNX Runtime makes of a graph, up to its level "extended".

    Args:
        model: a finished encoder; used up by this.
        scratch: an empty folder for the weights, which the result names: it must stand as long as
            that is used.

    Returns:
        The fused model, checked; or the one that was given, with its constants in `scratch`, where
        a fusion gives what older versions do not know.

    Raises:
        ExportError: ONNX Runtime does not take the model.
    """
    plain, fused = scratch / "plain.onnx", scratch / "fused.onnx"
    write_graph(model, plain)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(fused)
    options.intra_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    for key, value in _SETTINGS.items():
        options.add_session_config_entry(key, value)
    try:
        onnxruntime.InferenceSession(
            plain,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=list(OUTSIDE_ONNX),
        )
    except Exception as error:
        raise ExportError(
            f"ONNX Runtime {onnxruntime.__version__} does not take the graph: {error}"
        ) from error
    result = load_with_files(fused)
    if not all(_is_known(node) for node in result.graph.node):
        return load_with_files(plain)
    for node in result.graph.node:
        # Their order differs from run to run.
        attributes = sorted(node.attribute, key=lambda attribute: attribute.name)
        del node.attribute[:]
        node.attribute.extend(attributes)
    constants = sorted(result.graph.initializer, key=lambda tensor: tensor.name)
    return with_nodes(model, list(result.graph.node), constants, {DOMAIN: 1})


def _is_known(node: onnx.NodeProto) -> bool:
    if not node.domain:
        return True
    inputs, attributes = KNOWN_SINCE_1_19.get(node.op_type, (-1, ()))
    return (
        node.domain == DOMAIN
        and len(node.input) <= inputs
        and all(attribute.name in attributes for attribute in node.attribute)
    )
