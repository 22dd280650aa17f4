"""Which documents the lexical index holds, and how many words each has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import IndexFileError
from edge_mrl.index.storage.facts import Facts

IntArray = npt.NDArray[np.int64]
UnsignedArray = npt.NDArray[np.unsignedinteger[Any]]

_LONGEST_VARINT = 4
"""Bytes: no text that SQLite can hold has 2^28 words."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """The documents of a lexical index, by their places in rising order of row.

    Attributes:
        first: the first row.
        numbers: (n,) the rows; None where they follow one another.
        words: (n,) how many words each has; of the smallest type that holds them.
        mean: words of a document, or 1 where there are none.
    """

    first: int
    numbers: IntArray | None
    words: UnsignedArray
    mean: float

    @classmethod
    def read(cls, facts: Facts) -> Lengths:
        """Read all of them. Call inside `Facts.read()`.

        Raises:
            IndexFileError: the length of a document is missing or damaged.
        """
        execute = facts.connection.execute
        # One value instead of a Python object for each document: 100 000 in 10 ms, not 50, and
        # without the 12 MB. A table is read in the order of its rows where nothing else is asked.
        data, count = execute(
            "SELECT CAST(group_concat(sz, '') AS BLOB), count(*) FROM lexical_docsize"
        ).fetchone()
        words = varints(np.frombuffer(data or b"", dtype=np.uint8))
        if words is None or words.size != count:
            raise IndexFileError(
                "the lexical index is damaged, a document has no length: make it anew with "
                "create_lexical_index"
            )
        if not count:
            return cls(0, None, words, 1.0)
        (first,) = execute("SELECT min(id) FROM lexical_docsize").fetchone()
        (last,) = execute("SELECT max(id) FROM lexical_docsize").fetchone()
        numbers = None
        if last - first + 1 != count:
            found = execute("SELECT id FROM lexical_docsize ORDER BY id")
            numbers = np.fromiter((row for (row,) in found), dtype=np.int64, count=count)
        return cls(first, numbers, words, float(words.mean(dtype=np.float64)) or 1.0)

    @property
    def count(self) -> int:
        """How many documents."""
        return int(self.words.size)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.words.nbytes + (0 if self.numbers is None else self.numbers.nbytes)

    def places(self, rows: IntArray) -> IntArray:
        """Where rising rows stand; rows that the lexical index does not hold are left out."""
        if self.numbers is None:
            begin, end = np.searchsorted(rows, [self.first, self.first + self.count])
            return rows[begin:end] - self.first
        places = np.minimum(np.searchsorted(self.numbers, rows), self.count - 1)
        held: IntArray = places[self.numbers[places] == rows]
        return held

    def rows(self, places: IntArray) -> IntArray:
        """The rows at some places."""
        return places + self.first if self.numbers is None else self.numbers[places]


def varints(data: npt.NDArray[np.uint8]) -> UnsignedArray | None:
    """Whole numbers as SQLite writes them one after the other: seven bits a byte, the highest
    first, and the highest bit set in all bytes but a number's last.

    Returns:
        (n,) the numbers, of the smallest type that holds them; None where the bytes are not such.
    """
    if data.size and data[-1] >= 128:
        return None
    ends = np.flatnonzero(data < 128)
    if ends.size == data.size:
        return data.copy()
    widths = np.diff(ends, prepend=-1)
    if widths.max() > _LONGEST_VARINT:
        return None
    numbers = data[ends].astype(np.uint32)
    for back in range(1, int(widths.max())):
        wide = np.flatnonzero(widths > back)
        numbers[wide] |= (data[ends[wide] - back].astype(np.uint32) & 127) << np.uint32(7 * back)
    return numbers.astype(np.min_scalar_type(int(numbers.max())))
