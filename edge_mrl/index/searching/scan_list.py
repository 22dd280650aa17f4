"""Segments that are searched together, and the cosines that scan codes estimate. Pure arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl import kernel
from edge_mrl.index.format.codes import rotate_query
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segments import Segment
from edge_mrl.index.format.stages import stage_list
from edge_mrl.kernel import LEVELS, StageList
from edge_mrl.kernel.quantizer import LARGEST_ENTRY, WHOLE_LEVELS
from edge_mrl.slices import FloatArray, Slice, prefix

IntArray = npt.NDArray[np.int64]

_TABLE_GAIN, _INT8_GAIN = 1024, 65_536
"""The units of a gain; see docs/index-format.md."""


class Scanned(NamedTuple):
    """What a search of codes found, best first.

    Attributes:
        rows: (n,) int64 row numbers.
        scores: (n,) int64, the scores of the last stage.
    """

    rows: IntArray
    scores: IntArray


class ScanList:
    """Segments held for many searches.

    Args:
        layout: of their codes.
        segments: in the order of their rows.
    """

    def __init__(self, layout: IndexLayout, segments: Iterable[Segment]) -> None:
        self._segments = tuple(segments)
        self._stages = stage_list(layout, self._segments)
        self._starts = np.cumsum([0, *(segment.block.rows for segment in self._segments)])

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
        rows = np.empty_like(found.positions)
        owner = np.searchsorted(self._starts, found.positions, side="right") - 1
        for number, segment in enumerate(self._segments):
            mine = owner == number
            rows[mine] = segment.row_numbers(found.positions[mine] - self._starts[number])
        return Scanned(rows, found.scores)


def estimated_cosines(scores: IntArray, vector: FloatArray, slice_: Slice) -> FloatArray:
    """What scores of a scan say about cosines.

    Args:
        scores: (n,) of the scan of a slice.
        vector: (D,) float32, D >= slice_.dim, that was searched with.
        slice_: of the codes.
    """
    unit = rotate_query(prefix(vector[None, :], slice_.dim)[0], slice_)
    return np.asarray(scores * score_unit(unit, slice_), dtype=np.float32)


def score_unit(query: FloatArray, slice_: Slice) -> float:
    """What turns a score of the scan into an estimated cosine.

    A score is gain x value, where the gain is scale x sqrt(dim) x unit and the value is the dot
    product of query and levels times the factor by which `quantizer.prepare` makes the query whole
    numbers: 127 / max |q| for 8 bits, 63 / (largest span of a nibble's table) below. A table spans
    twice the largest level times the sum of |q| over the nibble's coordinates.

    Args:
        query: (dim,) float32 of unit length, rotated as the codes are.
        slice_: of the codes.
    """
    if slice_.bits == 8:
        factor, unit = _whole_factor(query), _INT8_GAIN
    else:
        sizes = np.abs(query.astype(np.float64))
        per_nibble = 4 // slice_.bits
        padded = np.zeros(-(-sizes.size // per_nibble) * per_nibble)
        padded[: sizes.size] = sizes
        span = 2.0 * float(LEVELS[slice_.bits][-1]) * padded.reshape(-1, per_nibble).sum(axis=1)
        factor, unit = LARGEST_ENTRY / max(float(span.max()), 1e-30), _TABLE_GAIN
    return 1.0 / (factor * float(np.sqrt(slice_.dim)) * unit)


def last_unit(vector: FloatArray, layout: IndexLayout) -> float:
    """What turns scores of the layout's last stage in memory into estimated cosines.

    Args:
        vector: (stored dim,) float32 of unit length, that was searched with.
        layout: the slices.
    """
    slice_ = layout.resident[-1]
    unit = vector if slice_.dim == vector.size else prefix(vector[None, :], slice_.dim)[0]
    rotated = rotate_query(unit, slice_)
    return score_unit(rotated, slice_) if layout.refine is None else _look_unit(rotated, slice_)


def _look_unit(query: FloatArray, slice_: Slice) -> float:
    """`score_unit` for a second look, where the query's factor is that of 8 bits, and levels
    are whole numbers in proportion to those of the scan."""
    if slice_.bits == 8:
        return score_unit(query, slice_)
    levels = float(WHOLE_LEVELS[slice_.bits][-1]) / float(LEVELS[slice_.bits][-1])
    return 1.0 / (_whole_factor(query) * levels * float(np.sqrt(slice_.dim)) * _TABLE_GAIN)


def _whole_factor(query: FloatArray) -> float:
    """What makes a query numbers from -127 to 127."""
    return 127.0 / max(float(np.abs(query).max()), 1e-30)
