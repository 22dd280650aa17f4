"""An array in numpy's .npy format inside a stream: its header, then its rows a few at a time.

numpy's own reader parses the header. What it declares is held against the number of bytes that are
there before anything of that size is allocated, and nothing is ever unpickled."""

from __future__ import annotations

import math
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import VectorFileError

_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


_HEADER_ERRORS = (
    ValueError,
    SyntaxError,
    TypeError,
    OverflowError,
    RecursionError,
    MemoryError,
    tokenize.TokenError,
)
"""What numpy raises on a header that it cannot parse; it parses it as Python text."""


@dataclass(frozen=True, slots=True)
class ArrayHeader:
    """What stands before the numbers of a .npy array.

    Attributes:
        shape: lengths of the axes.
        dtype: type of an item.
        offset: bytes before the first item.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int

    @property
    def row_bytes(self) -> int:
        """Bytes of all that stands under one index of the first axis."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize


def read_header(stream: IO[bytes], size: int, where: str) -> ArrayHeader:
    """Read the header and hold it against the size.

    Args:
        stream: stands at the magic bytes; left at the first item.
        size: bytes of the whole array with its header.
        where: names the array in errors.

    Raises:
        VectorFileError: it is not a .npy array, is pickled, is in column order, or declares another
            number of bytes than there are.
    """
    try:
        version = np.lib.format.read_magic(stream)
        if version not in _READERS:
            raise ValueError(f"version {version}")
        shape, by_column, dtype = _READERS[version](stream)
    except _HEADER_ERRORS as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise VectorFileError(
            f"{where} is not a .npy array ({reason}): write it with numpy.save"
        ) from error
    if dtype.hasobject:
        raise VectorFileError(
            f"{where} holds pickled Python objects, which are never loaded: save an array of "
            "numbers (or of str for ids and texts)"
        )
    if by_column and len(shape) > 1:
        raise VectorFileError(
            f"{where} is stored column by column: save numpy.ascontiguousarray(vectors)"
        )
    header = ArrayHeader(tuple(int(length) for length in shape), dtype, stream.tell())
    declared = header.offset + math.prod(header.shape) * dtype.itemsize
    if min(header.shape, default=0) < 0 or declared != size:
        raise VectorFileError(
            f"{where} declares {declared} bytes but has {size}: it is damaged or was cut off"
        )
    return header


def read_rows(
    stream: IO[bytes], header: ArrayHeader, rows: int, where: str
) -> Iterator[npt.NDArray[Any]]:
    """The rows in order, at most `rows` at a time, each part of the header's shape but the first.

    Raises:
        VectorFileError: the stream ends early.
    """
    total = header.shape[0]
    for start in range(0, total, rows):
        count = min(rows, total - start)
        data = stream.read(count * header.row_bytes)
        if len(data) != count * header.row_bytes:
            raise VectorFileError(f"{where} ends early, in row {start + count - 1}: it was cut off")
        yield np.frombuffer(data, header.dtype).reshape(count, *header.shape[1:])
