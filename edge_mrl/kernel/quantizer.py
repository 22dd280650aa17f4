"""The levels that a 1-, 2- or 4-bit code stands for, and how a query becomes integers. Pure
arithmetic.

The levels are the least-squares quantiser of a normal variable with variance 1: J. Max, "Quantizing
for Minimum Distortion", IRE Transactions on Information Theory 6 (1960), table I, for 2, 4 and 16
levels.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl.slices import FloatArray

ByteArray = npt.NDArray[np.uint8]
Int8Array = npt.NDArray[np.int8]

_HALF_LEVELS: dict[int, tuple[float, ...]] = {
    1: (0.7980,),
    2: (0.4528, 1.510),
    4: (0.1284, 0.3881, 0.6568, 0.9424, 1.256, 1.618, 2.069, 2.733),
}
_HALF_WHOLE_LEVELS: dict[int, tuple[int, ...]] = {
    1: (1,),
    2: (3, 10),
    4: (3, 9, 15, 22, 29, 37, 48, 63),
}
"""Proportional to the levels above within 2 %, and small enough for products of bytes: the
largest less the least is at most 126."""
_HALF_THRESHOLDS: dict[int, tuple[float, ...]] = {
    1: (),
    2: (0.9816,),
    4: (0.2582, 0.5224, 0.7996, 1.099, 1.437, 1.844, 2.401),
}


def _mirrored(half: tuple[float, ...], middle: tuple[float, ...]) -> FloatArray:
    return np.array([*(-x for x in reversed(half)), *middle, *half], dtype=np.float32)


LEVELS: dict[int, FloatArray] = {b: _mirrored(half, ()) for b, half in _HALF_LEVELS.items()}
"""bits -> (2**bits,) float32, ascending: what code number c stands for."""

WHOLE_LEVELS: dict[int, Int8Array] = {
    b: np.array([*(-x for x in reversed(half)), *half], dtype=np.int8)
    for b, half in _HALF_WHOLE_LEVELS.items()
}
"""bits -> (2**bits,) int8, ascending: what code number c counts when a row is looked at again."""

THRESHOLDS: dict[int, FloatArray] = {b: _mirrored(h, (0.0,)) for b, h in _HALF_THRESHOLDS.items()}
"""bits -> (2**bits - 1,) float32, ascending: the code of t is the number of thresholds <= t."""


LARGEST_ENTRY = 63
"""Four entries, those of two code bytes, add up in one byte, which makes the compiled scan a third
faster than 255 would. It costs nothing that could be measured: among 100 000 texts (wordllama, 300
queries) the shortlist for 99 % of the true top 10 went from 154 to 155 at 256x1, 181 to 182 at
128x2, 1579 to 1580 at 64x4, 34 to 34 at 256x2 and 89 to 103 at 128x4."""


class TableQuery(NamedTuple):
    """A query for 1-, 2- and 4-bit codes: one 16-entry table for each nibble of a row.

    Attributes:
        entries: (2 * code_bytes, 16) uint8, at most `LARGEST_ENTRY`; row 2j is for the low nibble
            of byte j, row 2j + 1 for its high nibble.
        offset: what to add to a row's sum of entries, so that the sum is proportional to the dot
            product; between -2**24 and 2**24 for up to 65536 dimensions.
        factor: what the query was multiplied by to become whole numbers; 0 for a query of zeros.
    """

    entries: ByteArray
    offset: int
    factor: float = 0.0


class IntQuery(NamedTuple):
    """A query for 8-bit codes.

    Attributes:
        weights: (dim,) int8.
        factor: as `TableQuery.factor`.
    """

    weights: Int8Array
    factor: float = 0.0


PreparedQuery = TableQuery | IntQuery


class PackedQuery(NamedTuple):
    """A query for rows of 1-, 2- and 4-bit codes that are looked at one by one.

    Attributes:
        weights: (8 // bits, stride) int8, stride the bytes of a row filled up to a multiple of 64:
            [p, j] is the weight of the p-th code of byte j, 0 where there is no coordinate.
        columns: bytes of a row.
        bits: of a code.
        factor: as `TableQuery.factor`.
    """

    weights: Int8Array
    columns: int
    bits: int
    factor: float = 0.0


RowQuery = PackedQuery | IntQuery


def prepare(query: FloatArray, bits: int) -> PreparedQuery:
    """Turn a query into the integers that the scan adds up.

    Let t[j][v] be what nibble value v at nibble position j adds to the dot product of the query and
    a row's levels, and scale = 63 / max over j of (max t[j] - min t[j]). The entries are
    round((t[j][v] - min t[j]) * scale) and the offset is round(sum of min t[j] * scale), in
    float64, summed in the order of j and of the coordinates in a nibble, halves to even. For 8 bits
    the weights are round(query * 127 / max |query|).

    Args:
        query: (dim,) float32, rotated as the codes are.
        bits: 1, 2, 4 or 8.
    """
    values = query.astype(np.float64)
    if bits == 8:
        top = float(np.max(np.abs(values)))
        factor = 127.0 / top if top else 0.0
        return IntQuery(np.rint(values * factor).astype(np.int8), factor)
    per_nibble = 4 // bits
    nibbles = 2 * ((values.size * bits + 7) // 8)
    padded = np.zeros(nibbles * per_nibble)
    padded[: values.size] = values
    coordinates = padded.reshape(nibbles, per_nibble)
    levels = LEVELS[bits].astype(np.float64)
    nibble = np.arange(16)
    table = np.zeros((nibbles, 16))
    for place in range(per_nibble):
        code = (nibble >> (place * bits)) & ((1 << bits) - 1)
        table += coordinates[:, place, None] * levels[code]
    low = table.min(axis=1)
    span = float((table.max(axis=1) - low).max())
    scale = LARGEST_ENTRY / span if span else 0.0
    entries = np.rint((table - low[:, None]) * scale).astype(np.uint8)
    # A running sum adds in order; `sum` adds in an order of its own.
    total = float(np.add.accumulate(low)[-1])
    return TableQuery(entries, int(np.rint(total * scale)), scale)


def prepare_rows(query: FloatArray, bits: int) -> RowQuery:
    """Turn a query into the weights that rows are multiplied by when they are looked at again.

    The weights are those of `prepare` for 8 bits, whatever the bits of the rows are.

    Args:
        query: (dim,) float32, rotated as the codes are.
        bits: 1, 2, 4 or 8.
    """
    whole = prepare(query, 8)
    assert isinstance(whole, IntQuery)
    if bits == 8:
        return whole
    per_byte = 8 // bits
    columns = -(-query.size // per_byte)
    filled = np.zeros(columns * per_byte, dtype=np.int8)
    filled[: query.size] = whole.weights
    weights = np.zeros((per_byte, -(-columns // 64) * 64), dtype=np.int8)
    weights[:, :columns] = filled.reshape(columns, per_byte).T
    return PackedQuery(weights, columns, bits, whole.factor)
