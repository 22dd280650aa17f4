"""TFLite variants of a sentence-transformers folder: converted once, quantised on request."""

from __future__ import annotations

from pathlib import Path

from edge_mrl.bundle.manifest import Precision
from edge_mrl_export.lite.compact import compact
from edge_mrl_export.lite.flatbuffer import parse
from edge_mrl_export.lite.process import convert, quantize
from edge_mrl_export.lite.rows import TableRewriter
from edge_mrl_export.model import BuiltVariant, VariantRequest
from edge_mrl_export.precision.techniques import TFLITE_TECHNIQUES
from edge_mrl_export.scratch import Scratch

FOLDER = "tflite"
MODULES = ("litert_torch", "ai_edge_quantizer", "ai_edge_litert")
WHERE = " with Python 3.11 to 3.13, not on 64-bit ARM Linux"
"""The machines that the converter has wheels for."""

TOOLS = ("litert-torch", "litert-converter", "ai-edge-quantizer", "ai-edge-litert")


class LiteVariants:
    """The TFLite files of one model.

    Args:
        source: the sentence-transformers folder.
        dims: its trained sizes.
        lengths: tokens per signature, rising.
        max_tokens: the model's own limit, or None.
        scratch: for the float32 files, from which all are made.
        trust_remote_code: whether code that the folder brings may run.
    """

    def __init__(
        self,
        source: Path,
        dims: tuple[int, ...],
        lengths: tuple[int, ...],
        max_tokens: int | None,
        scratch: Scratch,
        *,
        trust_remote_code: bool = False,
    ) -> None:
        self._trusted = trust_remote_code
        self._source, self._dims, self._lengths = source, dims, lengths
        self._scratch = scratch
        self._float32: dict[bool, Path] = {}
        self._max_tokens = None if lengths[-1] == max_tokens else lengths[-1]

    def build(self, request: VariantRequest, folder: Path) -> BuiltVariant:
        """Write one file below `folder`.

        Raises:
            ExportError: litert-torch cannot convert the model.
        """
        precision = request.precision
        technique = TFLITE_TECHNIQUES[precision]
        file = f"{FOLDER}/{precision}.tflite"
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        float32 = self._converted(token_vectors=request.token_vectors)
        if precision == "fp32":
            path.write_bytes(float32.read_bytes())
        else:
            quantize(float32, path, precision)
        path.write_bytes(_in_few_bytes(path.read_bytes(), precision))
        return BuiltVariant(
            name=f"tflite-{precision}",
            format="tflite",
            precision=precision,
            dims=self._dims,
            files=(file,),
            pad_invariant=technique.pad_invariant,
            session_options=dict(technique.session_options),
            min_cosine=technique.min_cosine,
            reason=technique.reason,
            engines=technique.engines,
            max_tokens=self._max_tokens,
            sequence_lengths=self._lengths,
            token_vectors=request.token_vectors,
        )

    def _converted(self, *, token_vectors: bool) -> Path:
        if token_vectors not in self._float32:
            out = self._scratch.path / f"fp32-{len(self._float32)}.tflite"
            convert(
                self._source,
                out,
                self._lengths,
                trust_remote_code=self._trusted,
                token_vectors=token_vectors,
            )
            self._float32[token_vectors] = out
        return self._float32[token_vectors]


def _in_few_bytes(model: bytes, precision: Precision) -> bytes:
    content = parse(model)
    tables = TableRewriter(content)
    tables.gather_words()
    tables.share_positions(eight_bits=precision.startswith("int8"))
    return compact(content)
