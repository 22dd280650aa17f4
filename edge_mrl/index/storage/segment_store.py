"""Segments in the file: listing, repairing, building."""

from __future__ import annotations

from typing import NamedTuple

from edge_mrl.index.format import segment_bytes, segments
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segment_bytes import SegmentBlobs
from edge_mrl.index.format.segments import Segment
from edge_mrl.index.storage.packing import pack_range
from edge_mrl.index.storage.store import Store
from edge_mrl.slices import Slice


class SegmentHead(NamedTuple):
    """A range of rows that is packed together.

    Attributes:
        number: the segment's number in the file; None where a segment is missing and must be made
            again.
        first_row: start of the range.
        last_row: end of it.
    """

    number: int | None
    first_row: int
    last_row: int


def heads(store: Store, layout: IndexLayout) -> list[SegmentHead]:
    """Ranges that follow one another from row 1 without a gap; segments that overlap others are
    left out."""
    found = store.connection.execute(
        "SELECT number, first_row, last_row FROM segments WHERE slice <> ? "
        "ORDER BY first_row, number",
        (_refine_name(layout),),
    ).fetchall()
    result: list[SegmentHead] = []
    expected, newest = 1, store.next_row() - 1
    for number, first, last in found:
        if not (isinstance(first, int) and isinstance(last, int)):
            continue
        if not expected <= first <= last <= newest:
            continue
        if first > expected:
            result.append(SegmentHead(None, expected, first - 1))
        result.append(SegmentHead(number, first, last))
        expected = last + 1
    return result


def _refine_name(layout: IndexLayout) -> str:
    return "" if layout.refine is None else str(layout.refine)


def derive(store: Store, first_row: int, last_row: int, layout: IndexLayout) -> list[Segment]:
    """Pack a range of rows again from the stored vectors; several segments where it holds more than
    one may."""
    result: list[Segment] = []
    start = first_row
    while True:
        result.append(pack_range(store, start, last_row, layout))
        stop = result[-1].last_row
        if stop >= last_row:
            return result
        start = stop + 1


def replace(store: Store, head: SegmentHead, made: list[Segment], layout: IndexLayout) -> None:
    """Write segments in the place of one. Call inside `store.write()`."""
    if head.number is not None:
        store.connection.execute("DELETE FROM segments WHERE number = ?", (head.number,))
    store.connection.execute(
        "DELETE FROM segments WHERE slice = ? AND first_row BETWEEN ? AND ?",
        (_refine_name(layout), head.first_row, head.last_row),
    )
    for segment in made:
        _insert(store, segment, layout.scan, segment_bytes.scan_blobs(segment))
        finer = segment_bytes.refine_blobs(segment, layout)
        if layout.refine is not None and finer is not None:
            _insert(store, segment, layout.refine, finer)


def _insert(store: Store, segment: Segment, slice_: Slice, blobs: SegmentBlobs) -> None:
    store.connection.execute(
        "INSERT INTO segments "
        "(first_row, last_row, slice, format, row_numbers, gains, codes, crc32) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            segment.first_row,
            segment.last_row,
            str(slice_),
            blobs.format,
            blobs.row_numbers,
            blobs.gains,
            blobs.codes,
            blobs.crc32,
        ),
    )


def pack_tail(store: Store, layout: IndexLayout) -> None:
    """Make segments of the rows after the last one, if they are enough. Call inside
    `store.write()`."""
    last = max((head.last_row for head in heads(store, layout)), default=0)
    if store.vectors_waiting(last) >= segments.MIN_ROWS:
        _pack_after(store, last, layout)


def rebuild(store: Store, layout: IndexLayout) -> None:
    """Make all segments anew and forget deletions. Call inside `store.write()`."""
    store.connection.execute("DELETE FROM segments")
    store.connection.execute("DELETE FROM deletions")
    store.set_fact("epoch", str(store.whole_number("epoch") + 1))
    if store.count():
        _pack_after(store, 0, layout)


def _pack_after(store: Store, after: int, layout: IndexLayout) -> None:
    # One segment at a time is in memory, however many documents there are.
    last = store.next_row() - 1
    while after < last:
        made = pack_range(store, after + 1, last, layout)
        replace(store, SegmentHead(None, made.first_row, made.last_row), [made], layout)
        after = made.last_row
