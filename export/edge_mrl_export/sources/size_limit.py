"""How large a model may be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_mrl.errors import ExportError
from edge_mrl_export.sources.safetensors_file import count_weights

MAX_FILE_BYTES = 2**31
"""Neither protobuf, which ONNX is written in, nor flatbuffers, TFLite's, hold more."""

_GRAPH_BYTES = 2**24
"""Room for the nodes: a hundred layers take about four megabytes."""


def check_size(weights: Sequence[Path]) -> None:
    """Refuse a model whose float32 weights do not fit one file, from which its variants are made.

    Raises:
        ExportError: they do not.
    """
    count = count_weights(weights)
    if 4 * count + _GRAPH_BYTES > MAX_FILE_BYTES:
        raise ExportError(
            f"the model has {count / 1e6:.0f} million weights: every variant is made from a "
            "float32 file, which holds 2 GB at most, so choose a model of at most 530 million"
        )
