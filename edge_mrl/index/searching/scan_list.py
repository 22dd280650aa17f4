"""Segments that are searched together, and the cosines that scan codes estimate. Pure arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl import kernel
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segments import Segment
from edge_mrl.index.format.stages import stage_list
from edge_mrl.index.searching.row_numbers import RowNumbers
from edge_mrl.kernel import LEVELS, StageList
from edge_mrl.kernel.quantizer import WHOLE_LEVELS
from edge_mrl.slices import FloatArray, Slice

IntArray = npt.NDArray[np.int64]

_TABLE_GAIN, _INT8_GAIN = 1024, 65_536
"""The units of a gain; see docs/index-format.md."""


class Scanned(NamedTuple):
    """What a search of codes found, best first.

    Attributes:
        rows: (n,) int64 row numbers.
        scores: (n,) int64, the scores of the last stage.
        factor: of that stage; see `kernel.Candidates`.
    """

    rows: IntArray
    scores: IntArray
    factor: float


class ScanList:
    """Segments held for many searches.

    Args:
        layout: of their codes.
        segments: in the order of their rows.
    """

    def __init__(self, layout: IndexLayout, segments: Iterable[Segment]) -> None:
        listed = tuple(segments)
        self._stages = stage_list(layout, listed)
        self._numbers = RowNumbers(listed)

    def nearest(self, vector: FloatArray, keeps: Sequence[int]) -> Scanned:
        """The best rows by their codes.

        Args:
            vector: (stored dim,) float32.
            keeps: how many each stage hands on; fewer than there are stages leave the later ones
                out.
        """
        stages = self._stages
        if len(keeps) < len(stages.stages):
            stages = StageList.of(stages.stages[: len(keeps)])
        found = kernel.search(vector, stages, keeps)
        return Scanned(self._numbers.at(found.positions), found.scores, found.factor)


def estimated_cosines(found: Scanned, vector: FloatArray, slice_: Slice) -> FloatArray:
    """The cosines that a scan of a slice estimates.

    Args:
        found: what the scan gave.
        vector: (D,) float32 of unit length, D >= slice_.dim, that was searched with.
        slice_: of the codes.
    """
    whole = full_score(found.factor, vector, slice_, looked=False)
    return np.asarray(found.scores / (whole or 1.0), dtype=np.float32)


def full_score(factor: float, vector: FloatArray, slice_: Slice, *, looked: bool) -> float:
    """The score that estimates a cosine of 1.

    A score is gain x value, where the gain is scale x sqrt(dim) x unit and the value is the dot
    product of levels and query, times the factor by which the query became whole numbers. In a
    second look levels are whole numbers too, in proportion to those of the scan.

    Args:
        factor: see `kernel.Candidates`.
        vector: (D,) float32 of unit length, D >= slice_.dim, that was searched with.
        slice_: of the codes.
        looked: whether it is a second look that scored.
    """
    full = factor * sqrt(slice_.dim) * (_INT8_GAIN if slice_.bits == 8 else _TABLE_GAIN)
    if looked and slice_.bits < 8:
        full *= float(WHOLE_LEVELS[slice_.bits][-1]) / float(LEVELS[slice_.bits][-1])
    if slice_.dim < vector.size:
        # Its prefix was searched with, which is shorter.
        full *= float(np.linalg.norm(vector[: slice_.dim]))
    return full


def last_full_score(factor: float, vector: FloatArray, layout: IndexLayout) -> float:
    """`full_score` of a layout's last stage in memory."""
    return full_score(factor, vector, layout.resident[-1], looked=layout.refine is not None)
