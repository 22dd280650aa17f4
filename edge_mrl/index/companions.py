"""Tables that follow the documents, each only where it was asked for: written and cut in the same
transaction as the documents themselves."""

from __future__ import annotations

from collections.abc import Sequence

from edge_mrl.index import lexical, payload_index, sparse
from edge_mrl.index.facts import Facts

_COMPANIONS = (payload_index, lexical, sparse)
"""Each has `add` and `remove`."""


def add(facts: Facts, rows: Sequence[int]) -> None:
    """Documents were written as these rows. Call inside `Facts.write()`."""
    for companion in _COMPANIONS:
        companion.add(facts, rows)


def remove(facts: Facts, rows: Sequence[int]) -> None:
    """Documents of these rows are about to be deleted. Call inside `Facts.write()`."""
    for companion in _COMPANIONS:
        companion.remove(facts, rows)
