"""The transformer itself, exported to ONNX by Optimum."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import onnx

from edge_mrl.errors import ExportError
from edge_mrl_export.graphs.constants import load_with_files
from edge_mrl_export.graphs.head import OPSET
from edge_mrl_export.graphs.position_table import cut_position_table
from edge_mrl_export.graphs.shapes import fold_known_sizes
from edge_mrl_export.sources.backbone import is_encoder_half, load_backbone, read_config
from edge_mrl_export.sources.refusing import refusing

HIDDEN = "last_hidden_state"

_WEIGHTS_IN_FILES = "FORCE_ONNX_EXTERNAL_DATA"
"""What Optimum does for a model of more than 2 GB, it then does for every one."""


def export_backbone(
    folder: Path,
    scratch: Path,
    *,
    positions: int | None = None,
    opset: int = OPSET,
    trust_remote_code: bool = False,
) -> onnx.ModelProto:
    """Export a transformers folder.

    Args:
        folder: holds config.json and model.safetensors.
        scratch: an empty folder for the weights, which the model names: it must stand as long as
            the model is used.
        positions: how many rows of a table of positions the longest text reads; None for all.
        opset: the ONNX operator set, one that `check_opset` lets through.
        trust_remote_code: whether the folder's own code may run.

    Returns:
        A model with the output `HIDDEN`, float32 [batch, sequence, hidden].

    Raises:
        ExportError: Optimum does not know the architecture, or could not trace it.
    """
    with _silence(), _weights_in_files():
        from optimum.exporters.onnx import export
        from optimum.exporters.tasks import TasksManager

        config = read_config(folder, trust_remote_code=trust_remote_code)
        try:
            describe = TasksManager.get_exporter_config_constructor(
                exporter="onnx",
                task="feature-extraction",
                model_type=config.model_type,
                library_name="transformers",
            )
        except KeyError as error:
            raise ExportError(
                f"Optimum cannot export the model in {folder}: it does not know the architecture "
                f"{config.model_type!r}"
            ) from error
        backbone = load_backbone(folder, trust_remote_code=trust_remote_code)
        backbone.config.use_cache = False
        out = scratch / "backbone.onnx"
        with refusing(f"Optimum cannot export the model in {folder}"):
            description = describe(backbone.config)
            if is_encoder_half(config):
                description = description.with_behavior("encoder")
            export(backbone, description, out, opset=opset)
        model = load_with_files(out)
    if positions is not None:
        cut_position_table(model, config.max_position_embeddings, positions)
    fold_known_sizes(model)
    if HIDDEN not in {output.name for output in model.graph.output}:
        raise ExportError(f"the model in {folder} gives no {HIDDEN}: it is not a text encoder")
    return model


@contextlib.contextmanager
def _weights_in_files() -> Iterator[None]:
    before = os.environ.get(_WEIGHTS_IN_FILES)
    os.environ[_WEIGHTS_IN_FILES] = "1"
    try:
        yield
    finally:
        del os.environ[_WEIGHTS_IN_FILES]
        if before is not None:
            os.environ[_WEIGHTS_IN_FILES] = before


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Hold back what torch's tracer, transformers and Optimum say to their own developers."""
    from optimum.utils import logging as optimum_logging
    from transformers.utils import logging as transformers_logging

    loggers = (optimum_logging, transformers_logging)
    before = [logger.get_verbosity() for logger in loggers]
    try:
        for logger in loggers:
            logger.set_verbosity_error()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.set_verbosity(level)
