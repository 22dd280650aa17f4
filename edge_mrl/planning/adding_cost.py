"""What a process takes in memory at the peak of adding documents, and how many it adds at a time.
Pure arithmetic.

The constants were measured with wordllama and MiniLM on x86-64: documents added from nothing, words
of 2 to 8 letters, resident memory at the peak less that of an encoder that has run. In MiB, static,
256x8 stored: 12.2 for 100 at a time with 64x1, 17.5 with 256x1 and 256x4; 19.8 and 21.2 for 1000 at
a time; 13.7 for 1000 at a time of 64x8; 13.7 and 22.8 for texts of 3600 bytes with 256x1 and 256x2.
`edge-mrl build` takes 1 more.
"""

from __future__ import annotations

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.planning.search_cost import MIB, Home, held_codes, segment_memory

BATCHES = (1000, 500, 250, 100)
"""Documents in one transaction, as a plan may choose. More than 1000 are no faster."""

WORKING_BYTES = round(12.5 * MIB)
"""SQLite, tokenising, and measuring the shortlist on a sample: all that does not grow."""

SEGMENT_COPIES = 3
"""Times that a segment's codes are in memory while it is made and written."""

COORDINATE_BYTES = 32
"""A stored coordinate of a document on its way: float32 and its copies, its code, its record."""


def adding_memory(
    layout: IndexLayout,
    documents: int,
    text_bytes: int,
    home: Home = "ram",
    batch: int = BATCHES[-1],
) -> int:
    """Resident bytes beside the encoder's at the peak of adding, in an index that is searched too.

    Args:
        layout: the slices.
        documents: how many the index holds then.
        text_bytes: of a document.
        home: where the codes live.
        batch: documents in one transaction.
    """
    on_the_way = COORDINATE_BYTES * layout.stored.dim + text_bytes
    return (
        WORKING_BYTES
        + held_codes(layout, documents, home)
        + SEGMENT_COPIES * segment_memory(layout, documents)
        + min(batch, documents) * on_the_way
    )


def batch_for(
    layout: IndexLayout,
    documents: int,
    text_bytes: int,
    home: Home,
    room: int,
) -> int:
    """The largest of `BATCHES` whose `adding_memory` stays within some bytes, or the least."""
    for batch in BATCHES:
        if adding_memory(layout, documents, text_bytes, home, batch) <= room:
            return batch
    return BATCHES[-1]
