"""From places in a list of segments to row numbers. Pure arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_mrl.index.format.segments import Segment

IntArray = npt.NDArray[np.int64]

_JOINED = 65_536
"""So many row numbers are put into one array, 512 KiB: looked up at once, whatever segments they
come from."""


class RowNumbers:
    """The row numbers of segments that are searched together.

    Args:
        segments: in the order of their rows; positions count through them.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._starts = np.cumsum([0, *(segment.block.rows for segment in segments)])
        starts = zip(segments, self._starts.tolist(), strict=False)
        shifts = {None if s.numbers is not None else s.first_row - start for s, start in starts}
        # What turns positions into row numbers, where no row is missing.
        self._shift = shifts.pop() if len(shifts) == 1 else None
        self._joined: IntArray | None = None
        if self._shift is None and 0 < self._starts[-1] <= _JOINED:
            self._joined = np.concatenate([segment.rows for segment in segments])

    def at(self, positions: IntArray) -> IntArray:
        """The row numbers at some positions, in any order.

        Returns:
            (n,) int64, a new array.
        """
        rows: IntArray
        if self._shift is not None:
            rows = positions + self._shift
            return rows
        if self._joined is not None:
            rows = self._joined[positions]
            return rows
        rows = np.empty_like(positions)
        owner = np.searchsorted(self._starts, positions, side="right") - 1
        for number in set(owner.tolist()):
            mine = owner == number
            segment = self._segments[number]
            rows[mine] = segment.row_numbers(positions[mine] - self._starts[number])
        return rows
