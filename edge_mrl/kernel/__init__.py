"""The scan kernel: a query, packed codes, and the best rows. Only numpy for now.

Whatever implements these functions gives the same integers as `edge_mrl.kernel.reference`, so the
choice of a kernel never changes a hit. This package knows nothing of files, documents or models.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_mrl.kernel.quantizer import LEVELS, THRESHOLDS, PreparedQuery, prepare
from edge_mrl.kernel.reference import Candidates, CodeBlock, scan, score, top_positions

__all__ = [
    "LEVELS",
    "THRESHOLDS",
    "Candidates",
    "CodeBlock",
    "KernelInfo",
    "PreparedQuery",
    "info",
    "prepare",
    "scan",
    "score",
    "top_positions",
]


@dataclass(frozen=True, slots=True)
class KernelInfo:
    """Which scan runs.

    Attributes:
        name: "numpy".
        detail: one line for a person.
    """

    name: str
    detail: str


def info() -> KernelInfo:
    """Say which kernel runs in this process."""
    return KernelInfo("numpy", "table lookups and integer dot products in numpy")
