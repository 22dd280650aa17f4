"""Packs a range of stored rows into a segment, a few thousand vectors at a time."""

from __future__ import annotations

from edge_mrl.index import segments
from edge_mrl.index.layout import IndexLayout
from edge_mrl.index.segments import Segment
from edge_mrl.index.store import Store

_ROWS = 4096
"""Vectors unpacked at once: 4 MiB of float32 at 256 dimensions. A segment of 65 536 rows in one go
would need 200 MiB while it is normalised, which a small board does not have."""


def pack_range(store: Store, first_row: int, last_row: int, layout: IndexLayout) -> Segment:
    """Pack the vectors of rows first_row .. last_row, at most `segments.MAX_ROWS` of them.

    Returns:
        A segment that ends at `last_row`, or at the last vector that it could take.

    Raises:
        IndexFileError: a stored vector is damaged; names the document.
    """
    made: Segment | None = None
    start = first_row
    while True:
        room = segments.MAX_ROWS - (0 if made is None else made.rows.size)
        limit = min(_ROWS, room)
        vectors = store.vectors_after(start - 1, last_row, limit, layout.stored)
        more = vectors.rows.size == limit
        stop = int(vectors.rows[-1]) if more else last_row
        part = segments.build(start, stop, vectors, layout)
        made = part if made is None else segments.joined(made, part, layout)
        if not more or stop >= last_row or limit == room:
            return made
        start = stop + 1
