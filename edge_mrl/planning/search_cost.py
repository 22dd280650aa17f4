"""What a search takes in memory and in time. Pure arithmetic.

Every constant that describes the search path stands here or in `index.searching.row_costs`, with
how it was measured; `python -m benchmarks.plan BUNDLE` shows what comes of them beside what is
measured. Those of time give way to what `edge-mrl calibrate` measured on a device. The reference
machine is that of `encoder_cost`.
"""

from __future__ import annotations

from typing import Literal

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segments import most_rows
from edge_mrl.index.searching.row_costs import refine_seconds_per_row, warm_row_seconds
from edge_mrl.planning.expected_lists import TOP_K
from edge_mrl.planning.file_cost import vector_row
from edge_mrl.profiles.profile import DeviceFacts
from edge_mrl.slices import Slice

MIB = 2**20

Home = Literal["ram", "disk"]
"""Where scan codes live: in memory, or in the file, from which each search reads them."""

# --- memory of the index ---

INDEX_WORKING_BYTES = 10 * MIB
"""SQLite with half a MiB of page cache, and the scores of one segment. Measured: 9 MiB more than
before it was opened for an index of 2500 rows of 256x2 and 256x8, of which 1.4 are rows in memory;
13 for 100 000 of 256x1 and 256x2, of which 9.5 are."""

SMALL_ROW_CACHE = 4 * MIB
ROW_CACHE = 32 * MIB
"""Stored rows are held in memory, all or none: where they take no more than the first, always if
the budget leaves room; up to the second, where a search takes a quarter less, since it rereads
many. More would take thousands of searches to fill."""

ROW_HEAD_BYTES = 16
"""A held row's number and length."""

RERANK_BYTES = 24
"""Peak bytes per shortlisted coordinate: float32 and its copies. Measured: 75 MiB for 6412 rows of
384x32 (32 bytes a coordinate), 12 MiB for 2331 rows of 256x8 (21), 4 MB for 1000 of 256x8 (16)."""

LISTED_BYTES = 80
"""Peak bytes per row of a list: its number, score and order. Measured with a million documents: 22
MB more for 308 183 rows of 64x1 before 256x2, 13 for 127 392 of 64x1 alone."""

REREAD_COORDINATES = 131_072
"""A shortlist is re-read in parts of 512 KiB of float32, so it takes no more however long it is."""

STREAMED_COPIES = 3
"""Times that a segment's codes are in memory while it is read: SQLite's pages, the blob, and the
next one before the last is freed."""

# --- time of a query ---

SCAN_NS_PER_BYTE = {1: 0.048, 2: 0.048, 4: 0.048, 8: 0.077}
SCAN_NS_PER_ROW = 0.35
"""Nanoseconds of the compiled kernel per byte of codes, by bits, and per row, on the reference
machine, *with 128-bit vectors*, because that is what the boards' NEON has.

Measured with 102 400 rows, keeping 20, processor time, the least of 25: 0.71 ns a row at 64x1, 1.8
at 256x1, 6.2 at 256x4, 5.6 at 64x8, 20 at 256x8. The reference machine's own AVX-512 takes half of
that (0.45, 0.95, 3.1, 2.8, 8.3). Without a compiled kernel numpy takes 25 times as long.
"""

HELD_ROW_SHARE = 0.2
"""Of rereading a row that is in the page cache, what a row takes that is held in memory. Measured
with 1000 rows: 0.10 us at 64x8, 0.12 at 128x8, 0.17 at 256x8, 0.25 at 384x8; `edge-mrl calibrate`
measured 1.05 and 0.23 us at 256x8 beside other work."""

MEASURED_ROW = Slice(256, 8)
"""What `edge-mrl calibrate` rereads."""

QUERY_SECONDS = 0.13e-3
"""What every search costs besides, on the reference machine: SQL statements, the texts of the hits.
Measured by `edge-mrl calibrate`."""

STREAM_NS_PER_BYTE = 1.0
"""Reading codes from the file's cached pages and checking them, on the reference machine."""

PAGE_CACHE_SHARE = 0.25
"""The share of the device's memory that, on a device in use, holds pages of the index file.
Assumption."""

MOST_CACHED = 0.99
"""Never count on more of the file than this being cached: latency is a 95th percentile.
Assumption."""


def scan_seconds_per_row(scan: Slice) -> float:
    """Seconds that the compiled scan computes for one row, on the reference machine."""
    return 1e-9 * (SCAN_NS_PER_BYTE[scan.bits] * scan.code_bytes + SCAN_NS_PER_ROW)


def base_seconds(facts: DeviceFacts) -> float:
    """Seconds of a search besides scan and rereading."""
    if facts.search_base is not None:
        return facts.search_base
    return QUERY_SECONDS / facts.core_speed


def row_seconds(facts: DeviceFacts, stored: Slice, *, held: bool) -> float:
    """Seconds for rereading a row, from memory or from a cached page: as measured on the device at
    `MEASURED_ROW`, or by its speed."""
    measured = facts.row_held if held else facts.row_read
    if measured is not None:
        return measured * warm_row_seconds(stored) / warm_row_seconds(MEASURED_ROW)
    return warm_row_seconds(stored) * (HELD_ROW_SHARE if held else 1) / facts.core_speed


def code_memory(layout: IndexLayout, documents: int) -> int:
    """Bytes of the scan codes in memory, with what stands beside them."""
    return documents * layout.resident_row_bytes


def index_memory(
    layout: IndexLayout, documents: int, lists: tuple[int, ...], home: Home = "ram"
) -> int:
    """Resident bytes of an index at the peak of opening it and of a search with such lists, whose
    last one's rows are re-read."""
    reread = RERANK_BYTES * min(lists[-1] * layout.stored.dim, REREAD_COORDINATES)
    listed = LISTED_BYTES * max(lists)
    return INDEX_WORKING_BYTES + held_codes(layout, documents, home) + reread + listed


def held_codes(layout: IndexLayout, documents: int, home: Home) -> int:
    """Resident bytes of the scan codes: all of them, or a few segments that are read from the file
    one after another."""
    codes = code_memory(layout, documents)
    if home == "ram":
        return codes
    return min(codes, STREAMED_COPIES * segment_memory(layout, documents))


def segment_memory(layout: IndexLayout, documents: int) -> int:
    """Bytes of the codes of the largest segment of so many documents."""
    return code_memory(layout, min(documents, most_rows(layout)))


def row_cache(layout: IndexLayout, documents: int) -> int:
    """Bytes for holding all stored rows in memory, as `index.row_cache` does."""
    return documents * (ROW_HEAD_BYTES + layout.stored.code_bytes)


def cached_share(facts: DeviceFacts, read: float) -> float:
    """The share of what searches read of a file, in bytes, that they find in the page cache.

    It rests on the device's memory, not on the budget: a larger budget never makes a plan slower.
    """
    if read == 0:
        return MOST_CACHED
    return min(MOST_CACHED, PAGE_CACHE_SHARE * facts.memory_bytes / read)


def query_latency(
    facts: DeviceFacts,
    layout: IndexLayout,
    documents: int,
    lists: tuple[int, ...],
    home: Home = "ram",
    *,
    held: bool = False,
) -> float:
    """Seconds of one search: one core scores every code, the best are ordered by finer codes where
    the layout has them, and the last list's rows are read again.

    Args:
        facts: of the device.
        layout: the slices.
        documents: rows of the index.
        lists: from `expected_lists`.
        home: where the codes live. In the file, finer codes are read with the scan's.
        held: whether the stored rows are in memory.
    """
    scan_bytes = layout.scan.code_bytes
    reading = scan_bytes / facts.memory_read
    computing = scan_seconds_per_row(layout.scan) / facts.scan_speed
    scan = documents * max(reading, computing)
    if layout.refine is not None:
        # Each row is a jump to another place in memory, which a slow bus makes dearer.
        jump = layout.refine.code_bytes / facts.memory_read
        scan += lists[0] * max(jump, refine_seconds_per_row(layout.refine) / facts.scan_speed)
    rows = lists[-1]
    warm = base_seconds(facts) + rows * row_seconds(facts, layout.stored, held=held)
    codes = documents * sum(part.code_bytes for part in layout.resident) if home == "disk" else 0
    missed = 1 - cached_share(facts, documents * vector_row(layout.stored) + codes)
    per_byte = 1e-9 * STREAM_NS_PER_BYTE / facts.core_speed
    scan += codes * (per_byte + missed / facts.storage_sequential_read)
    # The texts of the hits are read as well.
    reads = TOP_K if held else rows + TOP_K
    return scan + warm + reads * missed * facts.storage_random_read
