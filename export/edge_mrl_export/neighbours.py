"""The ten nearest neighbours of vectors among themselves, and how many two sets of vectors share.
Pure arithmetic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_mrl.slices import FloatArray

NEIGHBOURS = 10


def neighbours(rows: FloatArray) -> npt.NDArray[np.intp]:
    """The nearest other rows of each row, best first; ties go to the lower row.

    Args:
        rows: (n, dim) float32 unit vectors.

    Returns:
        (n, k) row numbers, where k is 10, or n - 1 where there are no more.
    """
    scores = rows @ rows.T
    np.fill_diagonal(scores, -np.inf)
    wanted = min(NEIGHBOURS, len(rows) - 1)
    return np.argsort(-scores, axis=1, kind="stable")[:, :wanted]


def overlap(ours: npt.NDArray[np.intp], theirs: npt.NDArray[np.intp]) -> float:
    """Mean share of the neighbours that two such lists agree on.

    Args:
        ours: (n, k) neighbours by one set of vectors.
        theirs: (n, k) neighbours by another.
    """
    shared = (ours[:, :, None] == theirs[:, None, :]).any(axis=2)
    return float(shared.mean())
