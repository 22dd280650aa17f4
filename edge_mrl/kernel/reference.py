"""The scan in numpy: the definition that every other kernel must equal, integer for integer.

A row's score is ``gain * value``, where value is the sum of the row's table entries plus the
query's offset (1, 2 and 4 bits) or the integer dot product (8 bits), and the gain is the row's
scale as a whole number. All of it is exact, so a kernel on another machine gives the same order,
and equal scores go to the lower position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_mrl.kernel.blocks import BLOCK_ROWS, BlockList, CodeBlock
from edge_mrl.kernel.quantizer import (
    LARGEST_ENTRY,
    ByteArray,
    IntQuery,
    PreparedQuery,
    TableQuery,
)

IntArray = npt.NDArray[np.int64]

_CHUNK = 16_384
"""Rows handled at once: the running sums stay in the second-level cache."""
_CHUNK_VALUES = 1 << 18
"""Coordinates of 8-bit codes turned to float32 at once: a megabyte."""
_UINT16_BYTES = 65_535 // (2 * LARGEST_ENTRY)
"""Code bytes whose two table entries each cannot overflow a 16-bit sum."""
_EXACT_FLOAT_DIMS = 1024
"""Products of int8 summed in float32 stay below 2**24, where float32 counts exactly."""


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
    values = _lookup(query, block) if isinstance(query, TableQuery) else _dot(query, block.codes)
    values *= block.gains
    return values


def _lookup(query: TableQuery, block: CodeBlock) -> IntArray:
    count, columns, _ = block.codes.shape
    kind = np.uint16 if columns <= _UINT16_BYTES else np.uint32
    entries = query.entries.astype(np.uint32)
    # One table of 256 for a byte: entry b is that of nibble b % 16 plus that of nibble b // 16.
    pairs = entries[1::2, :, None] + entries[0::2, None, :]
    tables = pairs.reshape(columns, 256).astype(kind)
    result = np.empty((count, BLOCK_ROWS), dtype=np.int64)
    total = np.empty((min(count, _CHUNK // BLOCK_ROWS), BLOCK_ROWS), dtype=kind)
    found = np.empty_like(total)
    for start in range(0, count, total.shape[0] or 1):
        chunk = block.codes[start : start + total.shape[0]]
        size = chunk.shape[0]
        np.take(tables[0], chunk[:, 0], out=total[:size], mode="clip")
        for column in range(1, columns):
            np.take(tables[column], chunk[:, column], out=found[:size], mode="clip")
            total[:size] += found[:size]
        result[start : start + size] = total[:size]
    result += query.offset
    return result.reshape(-1)[: block.rows]


def _dot(query: IntQuery, codes: ByteArray) -> IntArray:
    rows, columns = codes.shape
    weights = query.weights.astype(np.float32)
    signed = codes.view(np.int8)
    result = np.zeros(rows, dtype=np.int64)
    step = max(1, _CHUNK_VALUES // columns)
    for start in range(0, rows, step):
        part = signed[start : start + step].astype(np.float32)
        for first in range(0, columns, _EXACT_FLOAT_DIMS):
            last = min(first + _EXACT_FLOAT_DIMS, columns)
            products = part[:, first:last] @ weights[first:last]
            result[start : start + step] += products.astype(np.int64)
    return result


def scan(query: PreparedQuery, blocks: BlockList, keep: int) -> Candidates:
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
    for block in blocks.blocks:
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


def rescore(query: IntQuery, blocks: BlockList, positions: IntArray, keep: int) -> Candidates:
    """Find the `keep` best of some rows at 8 bits: the second look at what a coarser scan found.

    Args:
        query: from `prepare`, for 8 bits.
        blocks: one block of 8-bit codes; a mask is not looked at.
        positions: (n,) rows of it, each once.
        keep: how many candidates, 1 or more.

    Returns:
        At most `keep` candidates by falling score; equal scores in the order of `positions`.

    Raises:
        ValueError: not one block of 8-bit codes of the query's width, or a position outside it.
    """
    wanted = check_positions(query, blocks, positions)
    if not wanted.size:
        return Candidates(wanted, wanted)
    block = blocks.blocks[0]
    scores = _dot(query, block.codes[wanted]) * block.gains[wanted]
    order = np.argsort(-scores, kind="stable")[:keep]
    return Candidates(wanted[order], scores[order])


def check_positions(query: IntQuery, blocks: BlockList, positions: IntArray) -> IntArray:
    """The positions as contiguous int64, if `rescore` can take them.

    Raises:
        ValueError: see `rescore`.
    """
    wanted = np.ascontiguousarray(positions, dtype=np.int64)
    if len(blocks.blocks) != 1 or blocks.blocks[0].codes.ndim != 2:
        raise ValueError("rows are rescored in one block of 8-bit codes")
    if blocks.blocks[0].code_bytes != query.weights.size:
        raise ValueError(f"codes of {blocks.blocks[0].code_bytes} bytes do not fit the query")
    if wanted.size and not (int(wanted.min()) >= 0 and int(wanted.max()) < blocks.rows):
        raise ValueError(f"a position is outside the {blocks.rows} rows")
    return wanted


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
