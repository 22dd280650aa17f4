"""The scan in numpy: the definition that every other kernel must equal, integer for integer.

A row's score is ``gain * value``, where value is the sum of the row's table entries plus the
query's offset (1, 2 and 4 bits) or the integer dot product (8 bits), and the gain is the row's
scale as a whole number. All of it is exact, so a kernel on another machine gives the same order,
and equal scores go to the lower position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_mrl.kernel.quantizer import ByteArray, IntQuery, PreparedQuery, TableQuery

IntArray = npt.NDArray[np.int64]
GainArray = npt.NDArray[np.uint16]
BoolArray = npt.NDArray[np.bool_]

_CHUNK = 16_384
"""Rows handled at once: the running sums stay in the second-level cache."""
_UINT16_BYTES = 65_535 // (2 * 255)
"""Code bytes whose two table entries each cannot overflow a 16-bit sum."""
_EXACT_FLOAT_DIMS = 1024
"""Products of int8 summed in float32 stay below 2**24, where float32 counts exactly."""


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Packed codes of some rows, column by column.

    Attributes:
        codes: (code_bytes, rows) uint8, C-contiguous: byte j of every row lies together.
        gains: (rows,) uint16.
        alive: (rows,) bool, False for rows that must not appear; None where all may.
    """

    codes: ByteArray
    gains: GainArray
    alive: BoolArray | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a scan keeps, best first.

    Attributes:
        positions: (m,) int64, counted through the blocks in their order.
        scores: (m,) int64.
    """

    positions: IntArray
    scores: IntArray


def score(query: PreparedQuery, block: CodeBlock) -> IntArray:
    """Score every row of a block, deleted ones too.

    Returns:
        (rows,) int64.
    """
    if isinstance(query, TableQuery):
        values = _lookup(query, block.codes)
    else:
        values = _dot(query, block.codes)
    values *= block.gains
    return values


def _lookup(query: TableQuery, codes: ByteArray) -> IntArray:
    columns, rows = codes.shape
    kind = np.uint16 if columns <= _UINT16_BYTES else np.uint32
    entries = query.entries.astype(np.uint32)
    # One table of 256 for a byte: entry b is that of nibble b % 16 plus that of nibble b // 16.
    pairs = entries[1::2, :, None] + entries[0::2, None, :]
    tables = pairs.reshape(columns, 256).astype(kind)
    result = np.empty(rows, dtype=np.int64)
    total = np.empty(min(rows, _CHUNK), dtype=kind)
    found = np.empty_like(total)
    for start in range(0, rows, _CHUNK):
        size = min(_CHUNK, rows - start)
        chunk = codes[:, start : start + size]
        np.take(tables[0], chunk[0], out=total[:size], mode="clip")
        for column in range(1, columns):
            np.take(tables[column], chunk[column], out=found[:size], mode="clip")
            total[:size] += found[:size]
        result[start : start + size] = total[:size]
    result += query.offset
    return result


def _dot(query: IntQuery, codes: ByteArray) -> IntArray:
    columns, rows = codes.shape
    weights = query.weights.astype(np.float32)
    signed = codes.view(np.int8)
    result = np.zeros(rows, dtype=np.int64)
    for start in range(0, rows, _CHUNK):
        stop = min(start + _CHUNK, rows)
        for first in range(0, columns, _EXACT_FLOAT_DIMS):
            last = min(first + _EXACT_FLOAT_DIMS, columns)
            part = signed[first:last, start:stop].astype(np.float32)
            result[start:stop] += (weights[first:last] @ part).astype(np.int64)
    return result


def scan(query: PreparedQuery, blocks: Sequence[CodeBlock], keep: int) -> Candidates:
    """Find the `keep` best rows that are alive.

    Args:
        query: from `prepare`, for the bits of these codes.
        blocks: in order; positions count through them.
        keep: how many candidates, 1 or more.

    Returns:
        At most `keep` candidates by falling score; equal scores by rising position.
    """
    positions = np.empty(0, dtype=np.int64)
    scores = np.empty(0, dtype=np.int64)
    offset = 0
    for block in blocks:
        found = score(query, block)
        # Once `keep` are known, only a row that beats the worst of them can enter: it stands later,
        # so it loses ties.
        worst = scores.min() if scores.size == keep else None
        chosen = np.arange(found.size) if worst is None else np.flatnonzero(found > worst)
        if block.alive is not None:
            chosen = chosen[block.alive[chosen]]
        if chosen.size:
            positions = np.concatenate([positions, chosen + offset])
            scores = np.concatenate([scores, found[chosen]])
            kept = top_positions(scores, keep)
            positions, scores = positions[kept], scores[kept]
        offset += found.size
    order = np.lexsort((positions, -scores))
    return Candidates(positions[order], scores[order])


def top_positions(scores: IntArray | npt.NDArray[np.float32], keep: int) -> IntArray:
    """Positions of the `keep` largest scores in rising order of position; ties go to the lower
    position.

    Args:
        scores: (n,) integers or floats without NaN.
        keep: 1 or more.

    Returns:
        (min(n, keep),) int64.
    """
    if scores.size <= keep:
        return np.arange(scores.size, dtype=np.int64)
    limit = np.partition(scores, scores.size - keep)[scores.size - keep]
    better = np.flatnonzero(scores > limit)
    equal = np.flatnonzero(scores == limit)[: keep - better.size]
    return np.sort(np.concatenate([better, equal]))
