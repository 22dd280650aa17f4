"""Sentence-transformers folders as a source: description, own vectors, ONNX variants."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edge_mrl.bundle.manifest import Precision
from edge_mrl.errors import ExportError
from edge_mrl.schema import Table
from edge_mrl.slices import FloatArray
from edge_mrl_export.extras import require
from edge_mrl_export.model import BuiltVariant, ModelDescription, VariantRequest
from edge_mrl_export.precision.techniques import ONNX_TECHNIQUES
from edge_mrl_export.sources.identity import identity
from edge_mrl_export.sources.model_card import (
    read_licence,
    read_settings,
    trained_sizes,
)
from edge_mrl_export.sources.model_files import read_object, weight_files
from edge_mrl_export.sources.modules_json import read_layout
from edge_mrl_export.sources.tokenizer_json import read_tokenizer

if TYPE_CHECKING:
    import onnx

    from edge_mrl_export.sources.oracle import Oracle

_TOOLS = (
    "torch",
    "transformers",
    "sentence-transformers",
    "optimum",
    "optimum-onnx",
    "onnx",
    "onnxruntime",
)
_MODULES = ("torch", "transformers", "sentence_transformers", "optimum", "onnx")
_FOLDER = "onnx"


class SentenceTransformersSource:
    """A folder that sentence-transformers 5 or 6 saved.

    Nothing heavy is imported, and no weights are read, before a method asks for it.

    Args:
        folder: the model folder.
        dims: the trained sizes, or None to take those that the model's files record.
        licence: the model's licence, or None to take what README.md or LICENSE says.

    Raises:
        ExportError: the folder is missing or partial, the model is of a kind that cannot be
            exported, or the `export` extra is not installed.
    """

    def __init__(
        self, folder: Path, dims: tuple[int, ...] | None = None, licence: str | None = None
    ) -> None:
        require(*_MODULES)
        self._folder = folder
        self._layout = read_layout(folder)
        self._settings = read_settings(folder, self._layout)
        self._dims = trained_sizes(folder, self._layout.dim, dims)
        self._licence = licence or read_licence(folder)
        self._weights = weight_files(self._layout.transformer.folder)
        self._tokenizer = read_tokenizer(self._layout.transformer)

    def describe(self) -> ModelDescription:
        """Everything that does not depend on a variant; reads all weights once, to hash them."""
        name = self._folder.resolve().name
        return ModelDescription(
            name=name,
            architecture=self._architecture(),
            source=f"sentence-transformers folder {name}",
            licence=self._licence,
            identity=identity(self._layout, self._tokenizer),
            dim=self._layout.dim,
            matryoshka_dims=self._dims,
            similarity=self._settings.similarity,
            prompts=self._settings.prompts,
            default_prompt_name=self._settings.default_prompt_name,
            tokenizer=self._tokenizer,
            tools=_TOOLS,
        )

    def default_requests(self) -> tuple[VariantRequest, ...]:
        """ONNX: int8-fast, int8-portable, fp32."""
        return tuple(VariantRequest("onnx", precision) for precision in ONNX_TECHNIQUES)

    def reference(self, texts: Sequence[str]) -> FloatArray:
        """The vectors of sentence-transformers, without a prompt: (n, dim) float32, unit length."""
        return self._oracle.embed(texts)

    def reference_name(self) -> str:
        """The library and its version."""
        return f"sentence-transformers {importlib.metadata.version('sentence-transformers')}"

    def build(self, request: VariantRequest, folder: Path) -> tuple[BuiltVariant, ...]:
        """Write one ONNX file below `folder`; the backbone is exported at the first call and kept.

        Raises:
            ExportError: the format or precision is not one of `default_requests`, or the model
                cannot be exported.
        """
        from edge_mrl_export.graphs.head import finish

        technique = ONNX_TECHNIQUES.get(request.precision)
        if request.format != "onnx" or technique is None:
            raise ExportError(
                f"a sentence-transformers model cannot be written as {request.format} "
                f"{request.precision}: choose onnx with one of {', '.join(ONNX_TECHNIQUES)}"
            )
        file = f"{_FOLDER}/{request.precision}.onnx"
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(finish(self._convert(request.precision)))
        return (
            BuiltVariant(
                name=f"onnx-{request.precision}",
                format="onnx",
                precision=request.precision,
                dims=self._dims,
                files=(file,),
                pad_invariant=technique.pad_invariant,
                session_options=dict(technique.session_options),
                min_cosine=technique.min_cosine,
                reason=technique.reason,
            ),
        )

    @cached_property
    def _oracle(self) -> Oracle:
        from edge_mrl_export.sources.oracle import Oracle

        return Oracle(self._folder, self._layout)

    @cached_property
    def _encoder(self) -> onnx.ModelProto:
        """The fp32 graph, from which every variant is made."""
        from edge_mrl_export.graphs.backbone import check_size, export_backbone
        from edge_mrl_export.graphs.encoder import build_encoder

        check_size(self._weights)
        return build_encoder(export_backbone(self._layout.transformer.folder), self._layout)

    def _convert(self, precision: Precision) -> onnx.ModelProto:
        from edge_mrl_export.precision.fast import int8_fast
        from edge_mrl_export.precision.portable import int8_portable

        passes: dict[Precision, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
            "int8-fast": int8_fast,
            "int8-portable": int8_portable,
        }
        return passes[precision](self._encoder) if precision in passes else self._encoder

    def _architecture(self) -> str:
        path = self._layout.transformer.folder / "config.json"
        return Table(read_object(path), str(path), ExportError).text("model_type")
