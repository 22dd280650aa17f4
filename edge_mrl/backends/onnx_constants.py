"""Where an ONNX file says that its constants lie. Pure.

ONNX Runtime opens whatever file a model names for them. Only what names files is read here; the
rest of the model is passed over by its lengths. Field numbers are those of onnx.proto, the
encoding is protobuf's."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import NamedTuple

Buffer = bytes | mmap.mmap

_INNER: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
"""Message -> field -> message within which a file may be named. An entry is a key and a value."""

_NAMES_A_FILE = b"location"
_DEEPEST = 100
"""Messages within one another; protobuf's own readers take no more."""


class Place(NamedTuple):
    """Where the numbers of a constant lie: a file, and from which byte on how many; -1 where the
    model does not say."""

    location: str
    offset: int
    length: int


def places_outside(model: Buffer) -> Iterator[Place]:
    """Every place outside the model's own file that the model names.

    Raises:
        ValueError: it is not encoded as protobuf says.
    """
    return _places(model, 0, len(model), "model", 0)


def _places(data: Buffer, start: int, end: int, kind: str, depth: int) -> Iterator[Place]:
    if depth > _DEEPEST:
        raise ValueError("messages lie too deep within one another")
    inner = _INNER[kind]
    entries: dict[str, str] = {}
    for field, first, last in _fields(data, start, end):
        message = inner.get(field)
        if message == "entry":
            key, value = _entry(data, first, last)
            if key in entries:
                raise ValueError(f"a constant has two of {key!r}")
            entries[key] = value
        elif message is not None and (
            # Most nodes name none, and there are hundreds.
            message != "node" or data.find(_NAMES_A_FILE, first, last) >= 0
        ):
            yield from _places(data, first, last, message, depth + 1)
    if entries:
        yield Place(
            entries.get("location", ""),
            int(entries.get("offset", -1)),
            int(entries.get("length", -1)),
        )


def _entry(data: Buffer, start: int, end: int) -> tuple[str, str]:
    """Key and value."""
    texts = {field: data[first:last].decode() for field, first, last in _fields(data, start, end)}
    return texts.get(1, ""), texts.get(2, "")


def _fields(data: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, first byte and end of every field that has a length; the others are passed over."""
    while start < end:
        tag = data[start]
        start += 1
        if tag > 127:
            tag, start = _number(data, start - 1, end)
        wire = tag & 7
        if wire == 2:
            size = data[start] if start < end else 128
            if size > 127:
                size, start = _number(data, start, end)
            else:
                start += 1
            if size > end - start:
                raise ValueError("a field is longer than what holds it")
            yield tag >> 3, start, start + size
            start += size
        elif wire == 0:
            _, start = _number(data, start, end)
        elif wire in _FIXED:
            start += _FIXED[wire]
        else:
            raise ValueError(f"a field of the unknown kind {wire}")
    if start > end:
        raise ValueError("a field is longer than what holds it")


_FIXED = {1: 8, 5: 4}
"""Kind of field -> its bytes."""


def _number(data: Buffer, start: int, end: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if start >= end:
            break
        byte = data[start]
        start += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, start
    raise ValueError("a number does not end")
