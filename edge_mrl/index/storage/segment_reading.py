"""Segments from the file into memory, each checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from edge_mrl.index.format import segment_bytes
from edge_mrl.index.format.codes import ByteArray
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.segment_bytes import SegmentBlobs
from edge_mrl.index.format.segments import CodeRoom, Segment
from edge_mrl.index.storage.segment_store import SegmentHead
from edge_mrl.index.storage.store import Store
from edge_mrl.meanwhile import Meanwhile
from edge_mrl.slices import Slice

_PIECE = 64 << 10
"""Bytes of codes read at once."""


class _Stored(NamedTuple):
    """A segment as it stands in the file, not checked.

    Attributes:
        head: its rows.
        scan: its scan codes; None where they are missing, or no segment is so long.
        refine: the same of its refine codes.
    """

    head: SegmentHead
    scan: SegmentBlobs | None
    refine: SegmentBlobs | None


class Loaded(NamedTuple):
    """A segment as a search reads it.

    Attributes:
        segment: None where it is missing, damaged, stale, or of an unknown format.
        bytes_read: what was read of the file for it.
    """

    segment: Segment | None
    bytes_read: int


def load(store: Store, head: SegmentHead, layout: IndexLayout) -> Loaded:
    """Read a segment."""
    stored = _read(store, head, layout, CodeRoom(0))
    parts = [part for part in (stored.scan, stored.refine) if part is not None]
    nbytes = sum(len(p.row_numbers) + len(p.gains) + p.codes.nbytes for p in parts)
    return Loaded(_checked(stored, layout), nbytes)


def load_all(
    store: Store, heads: Sequence[SegmentHead], layout: IndexLayout
) -> Iterator[Segment | None]:
    """The segments of `load`, in one stretch of memory. While one is read, the one before
    is checked in another thread."""
    room = CodeRoom(_needed(store, heads, layout))
    before: _Stored | None = None
    for head in heads:
        if before is None:
            before = _read(store, head, layout, room)
            continue
        with Meanwhile(partial(_checked, before, layout)) as checking:
            before = _read(store, head, layout, room)
        yield checking.result()
    if before is not None:
        yield _checked(before, layout)


def _needed(store: Store, heads: Sequence[SegmentHead], layout: IndexLayout) -> int:
    """Bytes that the codes of some segments become."""
    wanted = {(head.first_row, head.last_row) for head in heads}
    slices = {str(part): part for part in layout.resident}
    total = 0
    # SQLite knows the length without reading the codes.
    for first, last, name, format_, size in store.connection.execute(
        "SELECT first_row, last_row, slice, format, length(codes) FROM segments "
        "WHERE typeof(codes) = 'blob'"
    ):
        if name in slices and (first, last) in wanted:
            needed = segment_bytes.room_bytes(format_, size, slices[name])
            total += CodeRoom.taken_by(needed or 0)
    # A file of many segments that say they are long has few bytes.
    return min(total, 2 * store.used_bytes())


def _read(store: Store, head: SegmentHead, layout: IndexLayout, room: CodeRoom) -> _Stored:
    if head.number is None:
        return _Stored(head, None, None)
    scan = _blobs(store, "number = ?", (head.number,), layout.scan, room)
    if scan is None or layout.refine is None:
        return _Stored(head, scan, None)
    where = "first_row = ? AND last_row = ? AND slice = ?"
    place = (head.first_row, head.last_row, str(layout.refine))
    return _Stored(head, scan, _blobs(store, where, place, layout.refine, room))


def _blobs(
    store: Store, where: str, values: tuple[object, ...], slice_: Slice, room: CodeRoom
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
        taken = room.take(needed)
        codes: ByteArray = taken[needed - size :]
        for start in range(0, size, _PIECE):
            piece = blob.read(_PIECE)
            codes[start : start + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
    return SegmentBlobs(format_, row_numbers, gains, codes, crc, taken)


def _checked(stored: _Stored, layout: IndexLayout) -> Segment | None:
    if stored.scan is None:
        return None
    head = stored.head
    segment = segment_bytes.from_blobs(head.first_row, head.last_row, stored.scan, layout.scan)
    if segment is None or layout.refine is None:
        return segment
    if stored.refine is None:
        return None
    return segment_bytes.with_refined(segment, stored.refine, layout)
