"""The ONNX precisions of a transformer: what each needs at run time and must reach, and why."""

from __future__ import annotations

from dataclasses import dataclass

from edge_mrl.bundle.manifest import Precision


@dataclass(frozen=True, slots=True)
class Technique:
    """One way of storing weights.

    `session_options` are what ONNX Runtime must be told for such a file, `pad_invariant` whether a
    text's vector is the same alone and in a batch, `min_cosine` the mean cosine with the reference
    that must be reached at every trained size, `reason` why that number.
    """

    pad_invariant: bool
    session_options: dict[str, str]
    min_cosine: float
    reason: str


ONNX_TECHNIQUES: dict[Precision, Technique] = {
    "int8-fast": Technique(
        pad_invariant=False,
        session_options={},
        min_cosine=0.985,
        reason="dynamic int8 of a MiniLM measures 0.993; below 0.985 rankings visibly change",
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
}
"""In the order of the default set: what a board wants first."""
