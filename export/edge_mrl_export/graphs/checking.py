"""Whether a graph is valid ONNX."""

from __future__ import annotations

import onnx

from edge_mrl.errors import ExportError
from edge_mrl_export.graphs.constants import outline


def check(model: onnx.ModelProto) -> None:
    """Check a model with its types and shapes; of large constants, which may lie in files, nothing
    but these.

    Raises:
        ExportError: it is not valid.
    """
    try:
        onnx.checker.check_model(outline(model), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(
            f"the exported graph is not valid ONNX ({str(error).splitlines()[0]})"
        ) from error
