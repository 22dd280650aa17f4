"""Segments that are scanned together, and the cosines that their codes estimate. Pure arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_mrl.index.codes import rotate_query
from edge_mrl.index.segments import Segment
from edge_mrl.kernel import LEVELS, BlockList, prepare, scan, top_positions
from edge_mrl.kernel.quantizer import LARGEST_ENTRY
from edge_mrl.slices import FloatArray, Slice

IntArray = npt.NDArray[np.int64]


_TABLE_GAIN, _INT8_GAIN = 1024, 65_536
"""The units of a gain; see docs/index-format.md."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan found, best first.

    Attributes:
        rows: (n,) int64 row numbers.
        scores: (n,) int64, the scores of the scan.
        query: (dim,) float32, the query as the codes are.
        slice: of the codes.
    """

    rows: IntArray
    scores: IntArray
    query: FloatArray
    slice: Slice

    @property
    def cosines(self) -> FloatArray:
        """(n,) float32: what the codes estimate."""
        unit = score_unit(self.query, self.slice)
        return np.asarray(self.scores * unit, dtype=np.float32)


class ScanList:
    """Segments held for many scans."""

    def __init__(self, segments: Iterable[Segment]) -> None:
        self.segments = tuple(segments)
        self._blocks = BlockList.of(segment.block for segment in self.segments)
        self._starts = np.cumsum([0, *(segment.rows.size for segment in self.segments)])

    @property
    def nbytes(self) -> int:
        """Bytes of codes, gains, masks and row numbers."""
        return sum(segment.nbytes for segment in self.segments)

    def nearest(self, vector: FloatArray, slice_: Slice, keep: int) -> Scanned:
        """The `keep` best rows by their codes.

        Args:
            vector: (D,) float32, D >= slice_.dim.
            slice_: of the codes.
            keep: 1 or more.
        """
        query = rotate_query(vector, slice_)
        found = scan(prepare(query, slice_.bits), self._blocks, keep)
        rows = np.empty_like(found.positions)
        owner = np.searchsorted(self._starts, found.positions, side="right") - 1
        for number, segment in enumerate(self.segments):
            mine = owner == number
            rows[mine] = segment.rows[found.positions[mine] - self._starts[number]]
        return Scanned(rows, found.scores, query, slice_)


def scan_all(segments: Iterable[Segment], vector: FloatArray, slice_: Slice, keep: int) -> Scanned:
    """As `ScanList.nearest`, with one segment in memory at a time."""
    query = rotate_query(vector, slice_)
    prepared = prepare(query, slice_.bits)
    rows = np.empty(0, dtype=np.int64)
    scores = np.empty(0, dtype=np.int64)
    for segment in segments:
        found = scan(prepared, [segment.block], keep)
        # In the order of the rows, so that the lower row wins a tie.
        order = np.argsort(found.positions)
        rows = np.concatenate([rows, segment.rows[found.positions[order]]])
        scores = np.concatenate([scores, found.scores[order]])
        kept = top_positions(scores, keep)
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))
    return Scanned(rows[order], scores[order], query, slice_)


def score_unit(query: FloatArray, slice_: Slice) -> float:
    """What turns a score of the scan into an estimated cosine.

    A score is gain x value, where the gain is scale x sqrt(dim) x unit and the value is the dot
    product of query and levels times the factor by which `quantizer.prepare` makes the query whole
    numbers: 127 / max |q| for 8 bits, 63 / (largest span of a nibble's table) below. A table spans
    twice the largest level times the sum of |q| over the nibble's coordinates.

    Args:
        query: (dim,) float32, rotated as the codes are.
        slice_: of the codes.
    """
    sizes = np.abs(query.astype(np.float64))
    if slice_.bits == 8:
        factor, unit = 127.0 / max(float(sizes.max()), 1e-30), _INT8_GAIN
    else:
        per_nibble = 4 // slice_.bits
        padded = np.zeros(-(-sizes.size // per_nibble) * per_nibble)
        padded[: sizes.size] = sizes
        span = 2.0 * float(LEVELS[slice_.bits][-1]) * padded.reshape(-1, per_nibble).sum(axis=1)
        factor, unit = LARGEST_ENTRY / max(float(span.max()), 1e-30), _TABLE_GAIN
    return 1.0 / (factor * float(np.sqrt(slice_.dim)) * unit)
