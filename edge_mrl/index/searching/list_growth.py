"""How a list that was measured among some documents grows with their number. Pure arithmetic.

True and coarse scores are taken as normal, and what coarse codes cost as a shift: they hold the
k-th best where the list reaches as many standard deviations below it, however many documents there
are. So a list that is a small share of the documents hardly grows, and one that is a large share
grows nearly in proportion.

Lists for 99 % of the top 10, measured among 16 384 and 98 304 texts (250 of them as queries), and
what this makes of the first: wordllama at 256x8, 64x1 3508 and 9022 (9980), 128x1 1103 and 1993
(2363), 256x1 201 and 250 (312), 256x2 37 and 37 (44); MiniLM at 384x8, 32x1 5154 and 24 982
(16 478), 32x4 1262 and 4220 (2784).
"""

from __future__ import annotations

import math

_FURTHEST = 10.0
"""Standard deviations; a normal value is never so far out."""
_HALVINGS = 40


def grown(rows: float, sampled: int, documents: int, k: int) -> float:
    """How long a list must be.

    Args:
        rows: its length among the documents sampled, above 0.
        sampled: how many there were, 1 or more.
        documents: how many there are now.
        k: of the true neighbours that it holds.

    Returns:
        `rows` or more; at most in proportion to the documents.
    """
    if documents <= sampled or rows <= k:
        return rows
    if rows >= sampled:
        return rows * documents / sampled
    shift = _quantile(k / sampled) - _quantile(rows / sampled)
    return max(rows, documents * _tail(_quantile(k / documents) - shift))


def _tail(value: float) -> float:
    """The share of a standard normal distribution that is above a value."""
    return 0.5 * math.erfc(value / math.sqrt(2))


def _quantile(share: float) -> float:
    """The value with this share above it, by halving; `statistics` would take 5 ms to import."""
    low, high = -_FURTHEST, _FURTHEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _tail(middle) > share else (low, middle)
    return low
