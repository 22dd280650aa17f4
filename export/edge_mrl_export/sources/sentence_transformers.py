"""Sentence-transformers folders as a source: description, own vectors, ONNX and TFLite variants."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edge_mrl.bundle.manifest import Precision
from edge_mrl.errors import ExportError
from edge_mrl.schema import Table
from edge_mrl.slices import FloatArray
from edge_mrl_export.extras import installed, require
from edge_mrl_export.graphs.head import check_opset
from edge_mrl_export.lite.lengths import choose_lengths
from edge_mrl_export.lite.variants import MODULES as LITE_MODULES
from edge_mrl_export.lite.variants import TOOLS as LITE_TOOLS
from edge_mrl_export.lite.variants import WHERE, LiteVariants
from edge_mrl_export.model import BuiltVariant, Gap, ModelDescription, VariantRequest
from edge_mrl_export.precision.techniques import ONNX_TECHNIQUES, TFLITE_TECHNIQUES
from edge_mrl_export.scratch import Scratch
from edge_mrl_export.sources.backbone import check_layers
from edge_mrl_export.sources.default_variants import default_gaps, default_requests
from edge_mrl_export.sources.identity import identity
from edge_mrl_export.sources.layout import layout_of
from edge_mrl_export.sources.model_card import (
    read_licence,
    read_settings,
    trained_sizes,
)
from edge_mrl_export.sources.model_files import read_object, weight_files
from edge_mrl_export.sources.modules import DenseModule, NormalizeModule
from edge_mrl_export.sources.origin import Origin
from edge_mrl_export.sources.safetensors_file import count_multiplied, count_weights
from edge_mrl_export.sources.size_limit import check_size
from edge_mrl_export.sources.tokenizer_json import positions_read, read_tokenizer

if TYPE_CHECKING:
    import onnx

    from edge_mrl_export.sources.late_interaction import LateReading
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
_MODULES = ("torch", "transformers", "sentence_transformers", "optimum", "onnx", "onnxruntime")
_FOLDER = "onnx"


class SentenceTransformersSource:
    """A folder that sentence-transformers 5 or 6 saved, PyLate, or Stanford's ColBERT.

    Nothing heavy is imported, and no weights are read, before a method asks for it.

    Args:
        folder: the model folder.
        dims: the trained sizes, or None to take those that the model's files record.
        licence: the model's licence, or None to take what README.md or LICENSE says.
        sequence_lengths: tokens per signature of a TFLite file, or None for the usual ones.
        origin: where the folder came from, or None for a folder of the user's own.
        trust_remote_code: whether code that the folder brings may run.
        opset: the ONNX operator set, or None for the usual one.

    Raises:
        ExportError: the folder is missing or partial, the model is of a kind that cannot be
            exported, or the `export` extra is not installed.
    """

    def __init__(
        self,
        folder: Path,
        dims: tuple[int, ...] | None = None,
        licence: str | None = None,
        sequence_lengths: tuple[int, ...] | None = None,
        origin: Origin | None = None,
        trust_remote_code: bool = False,
        opset: int | None = None,
    ) -> None:
        require(*_MODULES)
        self._opset = check_opset(opset)
        self._folder = folder
        self._origin = origin or Origin.of_folder(folder)
        self._trusted = trust_remote_code
        self._layout = layout_of(folder)
        tail = self._layout.tail
        late = self._layout.late_interaction
        self._settings = read_settings(
            folder,
            unit_length=bool(tail) and isinstance(tail[-1], NormalizeModule),
            late_interaction=late,
        )
        width = self._layout.dim
        self._dims = trained_sizes(folder, width, dims, otherwise=(width,) if late else None)
        self._licence = licence or read_licence(folder)
        weights = weight_files(self._layout.transformer.folder)
        check_layers(self._layout.transformer.folder, weights)
        self._weights = count_weights(weights)
        dense = (module for module in tail if isinstance(module, DenseModule))
        self._multiplied = count_multiplied(weights) + sum(
            module.in_features * module.out_features for module in dense
        )
        self._tokenizer = read_tokenizer(self._layout.transformer)
        self._late: LateReading | None = None
        if late:
            from edge_mrl_export.sources.late_interaction import read_late_interaction

            default = self._settings.prompts.get(self._settings.default_prompt_name or "", "")
            transformer = self._layout.transformer
            self._late = read_late_interaction(folder, transformer, self._tokenizer, default)
            self._tokenizer = self._late.tokenizer
            # The oracle is to read as much of a text.
            read = replace(transformer, max_seq_length=self._tokenizer.max_tokens)
            self._layout = replace(self._layout, transformer=read)
        self._lengths = choose_lengths(
            sequence_lengths,
            self._tokenizer.max_tokens,
            None if self._late is None else self._late.settings.filled_tokens,
        )
        self._oracle: Oracle | None = None

    def describe(self) -> ModelDescription:
        """Everything that does not depend on a variant; reads all weights once, to hash them."""
        settings, late = self._settings, self._late
        return ModelDescription(
            name=self._origin.name,
            architecture=self._architecture(),
            source=self._origin.said(
                "sentence-transformers folder" if late is None else "ColBERT folder"
            ),
            licence=self._licence,
            identity=identity(
                self._layout,
                self._tokenizer,
                None if late is None else late.settings,
                trust_remote_code=self._trusted,
            ),
            dim=self._layout.dim,
            matryoshka_dims=self._dims,
            similarity=settings.similarity,
            prompts=settings.prompts if late is None else late.prompts,
            default_prompt_name=settings.default_prompt_name if late is None else None,
            tokenizer=self._tokenizer,
            include_prompt=self._layout.pooling.include_prompt,
            late_interaction=None if late is None else late.settings,
            multiplied_weights=self._multiplied,
            tools=(*_TOOLS, *(LITE_TOOLS if installed(*LITE_MODULES) else ())),
        )

    def default_requests(self) -> tuple[VariantRequest, ...]:
        """See `Source.default_requests`."""
        return default_requests(self._weights)

    def default_gaps(self) -> tuple[Gap, ...]:
        """See `Source.default_gaps`."""
        return default_gaps(self._weights)

    def reference(self, texts: Sequence[str]) -> FloatArray:
        """The vectors of sentence-transformers, without a prompt: (n, dim) float32, unit length."""
        return self._library().embed(texts)

    def reference_tokens(self, texts: Sequence[str]) -> list[FloatArray]:
        """See `Source.reference_tokens`."""
        from edge_mrl_export.graphs.tokens import check_token_vectors

        check_token_vectors(self._layout)
        return self._library().embed_tokens(texts)

    def reference_name(self) -> str:
        """The library and its version."""
        return f"sentence-transformers {importlib.metadata.version('sentence-transformers')}"

    def check(self, request: VariantRequest) -> None:
        """See `Source.check`."""
        techniques = {"onnx": ONNX_TECHNIQUES, "tflite": TFLITE_TECHNIQUES}.get(request.format, {})
        if request.precision not in techniques:
            raise ExportError(
                f"a sentence-transformers model cannot be written as {request.format} "
                f"{request.precision}: choose onnx with one of {', '.join(ONNX_TECHNIQUES)}, or "
                f"tflite with one of {', '.join(TFLITE_TECHNIQUES)}"
            )
        check_size(self._weights, request.format, request.precision)
        if request.format == "tflite":
            require(*LITE_MODULES, what="tflite variant", where=WHERE)

    def build(self, request: VariantRequest, folder: Path) -> tuple[BuiltVariant, ...]:
        """Write one file below `folder`; what all variants of a format share is made at the first
        call and kept on disk. The library that gives references is let go, with its copy of the
        weights.

        Raises:
            ExportError: there is no such format or precision, the packages for it are not
                installed, or the model cannot be exported or is too large.
        """
        self.check(request)
        self._oracle = None
        if request.format == "onnx":
            return (self._build_onnx(request, folder),)
        return (self._lite.build(request, folder),)

    def _build_onnx(self, request: VariantRequest, folder: Path) -> BuiltVariant:
        from edge_mrl_export.graphs.constants import size_of_constants
        from edge_mrl_export.graphs.files import write_graph
        from edge_mrl_export.graphs.fuse import fuse

        precision = request.precision
        technique = ONNX_TECHNIQUES[precision]
        model = self._convert(request)
        # The graph before its fusions, and after.
        with Scratch(needed=2 * size_of_constants(model) if technique.fused else 0) as scratch:
            if technique.fused:
                model = fuse(model, scratch)
            names = write_graph(model, folder / _FOLDER / f"{precision}.onnx")
        return BuiltVariant(
            name=f"onnx-{precision}",
            format="onnx",
            precision=precision,
            dims=self._dims,
            files=tuple(f"{_FOLDER}/{name}" for name in names),
            pad_invariant=technique.pad_invariant,
            session_options=dict(technique.session_options),
            min_cosine=technique.min_cosine,
            reason=technique.reason,
            token_vectors=request.token_vectors,
        )

    @cached_property
    def _lite(self) -> LiteVariants:
        return LiteVariants(
            self._folder,
            self._dims,
            self._lengths,
            self._tokenizer.max_tokens,
            Scratch(needed=4 * self._weights),
            trust_remote_code=self._trusted,
        )

    @cached_property
    def _scratch(self) -> Scratch:
        # Optimum writes the weights one by one, and then once more into one file.
        return Scratch(needed=8 * self._weights)

    @cached_property
    def _backbone(self) -> onnx.ModelProto:
        from edge_mrl_export.graphs.backbone import export_backbone

        return export_backbone(
            self._layout.transformer.folder,
            self._scratch.path,
            positions=positions_read(self._layout.transformer),
            opset=self._opset,
            trust_remote_code=self._trusted,
        )

    def _library(self) -> Oracle:
        from edge_mrl_export.sources.oracle import Oracle

        if self._oracle is None:
            self._oracle = Oracle(self._folder, self._layout, trust_remote_code=self._trusted)
        return self._oracle

    def _convert(self, request: VariantRequest) -> onnx.ModelProto:
        """The graph at one precision, made from the fp32 one."""
        from edge_mrl_export.graphs.encoder import build_encoder
        from edge_mrl_export.precision.fast import int8_fast
        from edge_mrl_export.precision.four_bits import int4
        from edge_mrl_export.precision.half import fp16
        from edge_mrl_export.precision.portable import int8_portable

        passes: dict[Precision, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
            "int8-fast": int8_fast,
            "int8-portable": int8_portable,
            "fp16": fp16,
            "int4": int4,
        }
        model = build_encoder(self._backbone, self._layout, token_vectors=request.token_vectors)
        return passes[request.precision](model) if request.precision in passes else model

    def _architecture(self) -> str:
        path = self._layout.transformer.folder / "config.json"
        return Table(read_object(path), str(path), ExportError).text("model_type")
