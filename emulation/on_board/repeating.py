"""Work to be counted: ``python -m emulation.on_board.repeating embed BUNDLE VARIANT FIRST
COUNTED`` or ``search INDEX QUERIES FIRST COUNTED``: so many times before counting, and so many
that count."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable

import numpy as np

TEXT = "How do I reset the router in the hall?"
"""A short query: 13 tokens of a BERT, so a TFLite file's signature of 16."""

MARK = 0x7EAD5EED
"""As in counter.c; no process has this number."""


def repeat(once: Callable[[int], object], first: int, counted: int) -> None:
    """Call with 0, 1, 2 and so on; mark where those that count begin and where they end."""
    for number in range(first):
        once(number)
    mark()
    for number in range(first, first + counted):
        once(number)
    mark()


def mark() -> None:
    """Have the counter say how many instructions there were so far."""
    with contextlib.suppress(ProcessLookupError):
        os.getsid(MARK)


def embed(bundle: str, variant: str, first: int, counted: int) -> None:
    """Embed one text again and again."""
    from edge_mrl import Encoder

    encoder = Encoder.load(bundle, variant=variant, self_test=False)
    repeat(lambda number: encoder.encode(TEXT), first, counted)


def search(index: str, queries: str, first: int, counted: int) -> None:
    """Search by vector, the queries in turn."""
    from edge_mrl import Index

    vectors = np.load(queries)
    with Index.open(index) as opened:
        repeat(lambda number: opened.search(vectors[number % len(vectors)]), first, counted)


if __name__ == "__main__":
    work = {"embed": embed, "search": search}[sys.argv[1]]
    work(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
