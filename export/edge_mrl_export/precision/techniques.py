"""The precisions of a transformer: what each needs at run time and must reach, and why."""

from __future__ import annotations

from dataclasses import dataclass

from edge_mrl.bundle.manifest import Precision


@dataclass(frozen=True, slots=True)
class Technique:
    """One way of storing weights.

    `session_options` are what ONNX Runtime must be told for such a file, `pad_invariant` whether a
    text's vector is the same alone and in a batch, `min_cosine` the mean cosine with the reference
    that must be reached at every trained size, `reason` why that number, `engines` the packages
    that run it rightly where not all of the format do, `fused` whether an ONNX file holds the
    fusions that ONNX Runtime would make as it starts. Those are for the integer products; what is
    float32 after the weights are unpacked stays in ONNX's own operators, which other tools read.
    """

    pad_invariant: bool
    session_options: dict[str, str]
    min_cosine: float
    reason: str
    engines: tuple[str, ...] = ()
    fused: bool = False


ONNX_TECHNIQUES: dict[Precision, Technique] = {
    "int8-fast": Technique(
        pad_invariant=False,
        session_options={},
        min_cosine=0.985,
        reason="dynamic int8 of a MiniLM measures 0.998; below 0.985 rankings visibly change",
        fused=True,
    ),
    "int8-portable": Technique(
        pad_invariant=True,
        session_options={"session.disable_quant_qdq": "1"},
        min_cosine=0.998,
        reason="8-bit weights alone measure 0.999; below 0.998 a layer was lost to outliers",
    ),
    "fp32": Technique(
        pad_invariant=True,
        session_options={},
        min_cosine=0.99999,
        reason="the same arithmetic in another order differs by float32 rounding only",
    ),
    "fp16": Technique(
        pad_invariant=True,
        session_options={},
        min_cosine=0.9999,
        reason="half-precision weights measure 0.999999; below 0.9999 a weight overflowed",
    ),
    "int4": Technique(
        pad_invariant=True,
        session_options={"session.disable_quant_qdq": "1"},
        min_cosine=0.95,
        reason="4-bit weights of a MiniLM measure 0.973, and 13 of 100 neighbours change",
    ),
}
"""What a board wants comes first."""

_LITERT_ONLY = ("ai-edge-litert",)
_OLD_RUNTIME_TOO = ("ai-edge-litert", "tflite-runtime")
"""tflite-runtime 2.14, the last, takes 8-bit weights without a DEQUANTIZE before them for something
else and answers noise (cosine below 0.1); scripts/check-tflite-runtime shows it."""

TFLITE_TECHNIQUES: dict[Precision, Technique] = {
    "int8-fast": Technique(
        # One scale for each token's activations: padding and other texts do not enter.
        pad_invariant=True,
        session_options={},
        min_cosine=0.99,
        reason="dynamic range with a scale for each token measures 0.997 on a MiniLM",
        engines=_LITERT_ONLY,
    ),
    "int8-portable": Technique(
        pad_invariant=True,
        session_options={},
        min_cosine=0.998,
        reason="8-bit weights alone measure 0.999; below 0.998 a layer was lost to outliers",
        engines=_OLD_RUNTIME_TOO,
    ),
    "fp16": Technique(
        pad_invariant=True,
        session_options={},
        min_cosine=0.9999,
        reason="half-precision weights measure 0.999999; below 0.9999 a weight overflowed",
        engines=_OLD_RUNTIME_TOO,
    ),
    "fp32": Technique(
        pad_invariant=True,
        session_options={},
        min_cosine=0.99999,
        reason="the same arithmetic in another order differs by float32 rounding only",
        engines=_OLD_RUNTIME_TOO,
    ),
}
