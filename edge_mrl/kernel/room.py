"""Memory that a search needs, kept for the next one, and threads that share it out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from edge_mrl.kernel.reference import IntArray
from edge_mrl.kernel.stages import StageList

_RESERVOIR = 4
"""Places in the reservoir for each candidate that is kept: the more, the fewer selections."""
_SPARE_ROWS = 192
"""More places, whatever is kept: scan.c needs 64 for a block."""


def capacity_for(kept: int, rows: int) -> int:
    """Places in the reservoir for the best `kept` of `rows` rows."""
    return min(_RESERVOIR * kept, rows) + _SPARE_ROWS


def checked_lengths(width: int, stages: StageList, keeps: Sequence[int]) -> tuple[list[int], int]:
    """How many each stage keeps of the rows that there are, and the room for it.

    Raises:
        ValueError: queries of this width are too narrow, or there is not one number for each stage.
    """
    if len(keeps) != len(stages.stages) or min(keeps) < 1:
        raise ValueError(f"{len(keeps)} lengths for {len(stages.stages)} stages")
    if width < stages.width:
        raise ValueError(f"a query of {width} coordinates is too narrow")
    rows = stages.rows
    most = max(1, rows)
    kept = [most if keep > most else keep for keep in keeps]
    return kept, capacity_for(max(kept), rows)


class Room(threading.local):
    """Memory that searches of one thread use again: new pages would cost more than a search."""

    def __init__(self) -> None:
        self.work: IntArray = np.empty(0, dtype=np.int64)
        self.scratch = np.empty(0, dtype=np.uint8)
        self.work_address = self.scratch_address = 0

    def of(self, work: int, scratch: int) -> Room:
        """Room for at least `work` numbers and `scratch` bytes."""
        if self.work.size < work:
            self.work = np.empty(work, dtype=np.int64)
            self.work_address = self.work.ctypes.data
        if self.scratch.size < scratch:
            self.scratch = np.empty(scratch, dtype=np.uint8)
            self.scratch_address = self.scratch.ctypes.data
        return self


def run_in_threads(work: Callable[[], None], threads: int) -> None:
    """Run the same work in this thread and threads - 1 others, and wait for all of them."""
    helpers = [threading.Thread(target=work) for _ in range(threads - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
