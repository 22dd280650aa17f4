"""What share of the float32 top 10 the stored precision loses, whatever the lists hold. Pure
arithmetic.

An index no longer has the float32 vectors, so its lists are measured against the stored ones and
must hold so much more of those. Rounding shifts each cosine by a normal error, and neighbours near
the tenth place change sides: the more, the larger the error is.
"""

from __future__ import annotations

import numpy as np

from edge_mrl.slices import FloatArray, Slice

LOSS_OF_ERROR = 12.0
"""Share of the top 10 that is lost, by the standard deviation of the error of a cosine. Among
10 000, 30 000 and 100 000 texts, with real queries, it is 10.4 to 13.8 of wordllama at 64, 128 and
256 dimensions and of MiniLM at 96, 192 and 384: 0.005 to 0.010 are lost, and a neighbourhood is
about as crowded in all of them."""

TYPICAL_LOSS = {8: 0.006}
"""Bits of the stored vectors -> what is lost of vectors that nobody has seen yet: of wordllama's at
256 dimensions."""

WANTED_RECALL = 0.99
"""Share of the exact float32 top 10 that a search shall find."""

MOST_WANTED = 0.998
"""Of the stored vectors' own top 10. Few dimensions of 8 bits lose all that may be missed or more;
lists for the last neighbour of a sample would be many times as long and give back little of it."""

_LARGEST_CODE = 127
_UNIFORM = 12**-0.5
"""Standard deviation of a rounding error, by the step."""


def stored_loss(units: FloatArray, stored: Slice) -> float:
    """The share of their float32 top 10 that is not among the stored vectors' own.

    Args:
        units: (n, dim) some stored vectors, of unit length; n is 1 or more.
        stored: the slice that they were stored at.
    """
    if stored.bits != 8:
        # Half precision rounds a hundred times as finely.
        return 0.0
    # The largest code of a vector is 127, so its largest coordinate says how long a step is.
    step = float(np.abs(units).max(axis=1).mean()) / _LARGEST_CODE
    return min(1.0, LOSS_OF_ERROR * _UNIFORM * step)


def wanted_of_stored(loss: float) -> float:
    """The share of the stored vectors' own top 10 that lists must hold for `WANTED_RECALL`."""
    return min(MOST_WANTED, WANTED_RECALL + loss)
