"""Segments in the file: listing, loading, repairing, building."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from edge_mrl.index.format import segment_bytes, segments
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segment_bytes import SegmentBlobs
from edge_mrl.index.format.segments import Segment, aligned_room
from edge_mrl.index.storage.packing import pack_range
from edge_mrl.index.storage.store import Store
from edge_mrl.slices import Slice

_PIECE = 64 << 10
"""Bytes of codes read at once."""


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


def load(store: Store, head: SegmentHead, layout: IndexLayout) -> Segment | None:
    """Read a segment; None where it is missing, damaged, stale, or of an unknown format."""
    if head.number is None:
        return None
    blobs = _read(store, "number = ?", (head.number,), layout.scan)
    if blobs is None:
        return None
    segment = segment_bytes.from_blobs(head.first_row, head.last_row, blobs, layout.scan)
    if segment is None or layout.refine is None:
        return segment
    where = "first_row = ? AND last_row = ? AND slice = ?"
    place = (head.first_row, head.last_row, str(layout.refine))
    finer = _read(store, where, place, layout.refine)
    return None if finer is None else segment_bytes.with_refined(segment, finer, layout)


def _read(
    store: Store, where: str, values: tuple[object, ...], slice_: Slice
) -> SegmentBlobs | None:
    found = store.connection.execute(
        "SELECT number, slice, format, row_numbers, gains, crc32, typeof(codes) "
        f"FROM segments WHERE {where}",
        values,
    ).fetchone()
    if found is None or found[1] != str(slice_) or found[-1] != "blob":
        return None
    number, _, format_, row_numbers, gains, crc, _ = found
    if not (isinstance(row_numbers, bytes) and isinstance(gains, bytes)):
        return None
    # Piece by piece to where they are searched: a copy of all in between would leave its room with
    # the process, 4 to 6 MB at 100 000 rows.
    with store.connection.blobopen("segments", "codes", number, readonly=True) as blob:
        size = len(blob)
        needed = segment_bytes.room_bytes(format_, size, slice_)
        if needed is None:
            return None
        room = aligned_room((needed,))
        codes = room[needed - size :]
        for start in range(0, size, _PIECE):
            piece = blob.read(_PIECE)
            codes[start : start + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
    return SegmentBlobs(format_, row_numbers, gains, codes, crc, room)


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
