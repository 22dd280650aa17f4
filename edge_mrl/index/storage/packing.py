"""Packs a range of stored rows into a segment, a few thousand vectors at a time."""

from __future__ import annotations

import numpy as np

from edge_mrl.index.format import segments
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segments import Segment
from edge_mrl.index.storage.store import Store
from edge_mrl.kernel import BLOCK_ROWS, CodeBlock

_ROWS = 32 * BLOCK_ROWS
"""Vectors unpacked at once: 2 MiB of float32 at 256 dimensions, which exist several times while
they are normalised and encoded."""


def pack_range(store: Store, first_row: int, last_row: int, layout: IndexLayout) -> Segment:
    """Pack the vectors of rows first_row .. last_row, at most `segments.most_rows` of them.

    Returns:
        A segment that ends at `last_row`, or at the last vector that it could take.

    Raises:
        IndexFileError: a stored vector is damaged; names the document.
    """
    parts: list[Segment] = []
    start, room = first_row, segments.most_rows(layout)
    while True:
        limit = min(_ROWS, room)
        vectors = store.vectors_after(start - 1, last_row, limit, layout.stored)
        more = vectors.rows.size == limit
        stop = int(vectors.rows[-1]) if more else last_row
        parts.append(segments.build(start, stop, vectors, layout))
        room -= limit
        if not more or stop >= last_row or not room:
            return _together(parts)
        start = stop + 1


def _together(parts: list[Segment]) -> Segment:
    """One segment of parts that follow one another, all but the last of whole blocks."""
    if len(parts) == 1:
        return parts[0]
    block = one_block([part.block for part in parts])
    refined = [part.refined for part in parts if part.refined is not None]
    numbers = None
    if any(part.numbers is not None for part in parts):
        numbers = np.concatenate([part.rows for part in parts])
    first, last = parts[0].first_row, parts[-1].last_row
    return Segment(first, last, numbers, block, one_block(refined) if refined else None)


def one_block(blocks: list[CodeBlock]) -> CodeBlock:
    """One block of blocks that follow one another, all but the last of whole `BLOCK_ROWS`."""
    codes = np.concatenate([block.codes for block in blocks])
    return CodeBlock(codes, np.concatenate([block.gains for block in blocks]))
