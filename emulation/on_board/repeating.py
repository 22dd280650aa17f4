"""Work to be counted: ``python -m emulation.on_board.repeating embed BUNDLE VARIANT TIMES`` or
``search INDEX QUERIES TIMES``."""

from __future__ import annotations

import sys

import numpy as np

TEXT = "How do I reset the router in the hall?"
"""A short query: 13 tokens of a BERT, so a TFLite file's signature of 16."""


def embed(bundle: str, variant: str, times: int) -> None:
    """Embed one text again and again."""
    from edge_mrl import Encoder

    encoder = Encoder.load(bundle, variant=variant, self_test=False)
    for _ in range(times):
        encoder.encode(TEXT)


def search(index: str, queries: str, times: int) -> None:
    """Search by vector, the queries in turn."""
    from edge_mrl import Index

    vectors = np.load(queries)
    with Index.open(index) as opened:
        for number in range(times):
            opened.search(vectors[number % len(vectors)])


if __name__ == "__main__":
    work = {"embed": embed, "search": search}[sys.argv[1]]
    work(sys.argv[2], sys.argv[3], int(sys.argv[4]))
