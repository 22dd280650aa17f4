"""The scan in numpy: the definition that every other kernel must equal, integer for integer.

A row's score is ``gain * value``, where value is the sum of the row's table entries plus the
query's offset (1, 2 and 4 bits) or the integer dot product (8 bits), and the gain is the row's
scale as a whole number. All of it is exact, so a kernel on another machine gives the same order,
and equal scores go to the lower position.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl.kernel.blocks import BLOCK_ROWS, BlockList, CodeBlock
from edge_mrl.kernel.quantizer import (
    LARGEST_ENTRY,
    WHOLE_LEVELS,
    ByteArray,
    Int8Array,
    IntQuery,
    PackedQuery,
    PreparedQuery,
    RowQuery,
    TableQuery,
    prepare,
    prepare_rows,
)
from edge_mrl.kernel.stages import StageList, turned
from edge_mrl.slices import FloatArray

IntArray = npt.NDArray[np.int64]

_CHUNK = 32_768
"""Rows scored at once: running sums of 64 KiB stay in the second-level cache. Half as many take 7 %
longer, twice as many 12 %."""
_CHUNK_VALUES = 1 << 18
"""Coordinates of 8-bit codes turned to float32 at once: a megabyte."""
_UINT16_BYTES = 65_535 // (2 * LARGEST_ENTRY)
"""Code bytes whose two table entries each cannot overflow a 16-bit sum."""
_MANY = 32
"""Times as many scores as are kept, from which on a part of them is looked at first: the best 300
of 65 536 take 0.12 ms instead of 0.55."""
_EXACT_FLOAT_DIMS = 1024
"""Products of int8 summed in float32 stay below 2**24, where float32 counts exactly."""


def _levels_of_byte(bits: int) -> FloatArray:
    """What the codes in each byte stand for, (256, 8 / bits)."""
    numbers = (np.arange(256)[:, None] >> np.arange(0, 8, bits)) & ((1 << bits) - 1)
    levels: FloatArray = WHOLE_LEVELS[bits].astype(np.float32)[numbers]
    return levels


_LEVELS_OF_BYTE = {bits: _levels_of_byte(bits) for bits in (1, 2, 4)}


class Candidates(NamedTuple):
    """What a scan keeps, best first.

    Attributes:
        positions: (m,) int64, counted through the blocks in their order.
        scores: (m,) int64.
        factor: what the query was multiplied by for these scores; see `TableQuery.factor`.
    """

    positions: IntArray
    scores: IntArray
    factor: float = 0.0


def score(query: PreparedQuery | RowQuery, block: CodeBlock) -> IntArray:
    """Score every row of a block, deleted ones too.

    Returns:
        (rows,) int64.
    """
    if isinstance(query, PackedQuery):
        check_width(query, BlockList.of([block]))
        return _row_values(query, block.codes) * block.gains
    parts = [found for _, found in _scored(query, block)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _scored(query: PreparedQuery, block: CodeBlock) -> Iterator[tuple[int, IntArray]]:
    """The scores of a bounded number of rows after another, each with the place of its first."""
    if isinstance(query, TableQuery):
        tables = _byte_tables(query, block)
    for start in range(0, block.rows, _CHUNK):
        stop = min(start + _CHUNK, block.rows)
        if isinstance(query, TableQuery):
            blocks = slice(start // BLOCK_ROWS, -(-stop // BLOCK_ROWS))
            values = _lookup(tables, block.codes[blocks], query.offset)[: stop - start]
        else:
            values = _dot(query.weights, block.codes[start:stop])
        values *= block.gains[start:stop]
        yield start, values


def _byte_tables(query: TableQuery, block: CodeBlock) -> list[bytes]:
    """One table of 256 for a byte: entry b is that of nibble b % 16 plus that of nibble b // 16."""
    if query.entries.shape[0] != 2 * block.code_bytes:
        raise ValueError(
            f"codes of {block.code_bytes} bytes do not fit {query.entries.shape[0]} tables"
        )
    pairs = query.entries[1::2, :, None] + query.entries[0::2, None, :]
    return [table.tobytes() for table in pairs.astype(np.uint8, copy=False)]


def _lookup(tables: list[bytes], codes: ByteArray, offset: int) -> IntArray:
    """The values of the rows of some blocks, (blocks, code_bytes, 64)."""
    count, columns, _ = codes.shape
    total = np.zeros(count * BLOCK_ROWS, dtype=np.uint16 if columns <= _UINT16_BYTES else np.uint32)
    for column in range(0, columns, 2):
        # Two bytes' entries fit into one: at most 4 x 63.
        found = _translated(codes[:, column], tables[column])
        if column + 1 < columns:
            found = found + _translated(codes[:, column + 1], tables[column + 1])
        total += found
    values = total.astype(np.int64)
    values += offset
    return values


def _translated(codes: ByteArray, table: bytes) -> ByteArray:
    """Each byte looked up. `bytes.translate` takes half the time of `numpy.take`, which makes
    64-bit numbers of its indices first."""
    return np.frombuffer(codes.tobytes().translate(table), dtype=np.uint8)


def _dot(weights: Int8Array, codes: ByteArray, bits: int = 8) -> IntArray:
    """Dot products of weights and what each row's codes stand for: (n,) int64."""
    result = np.zeros(codes.shape[0], dtype=np.int64)
    wide = weights.astype(np.float32)
    step = max(1, _CHUNK_VALUES // wide.size)
    for start in range(0, codes.shape[0], step):
        part = codes[start : start + step]
        if bits == 8:
            values = part.view(np.int8).astype(np.float32)
        else:
            values = _LEVELS_OF_BYTE[bits].take(part, axis=0).reshape(part.shape[0], -1)
        for first in range(0, wide.size, _EXACT_FLOAT_DIMS):
            last = first + _EXACT_FLOAT_DIMS
            products = values[:, first:last] @ wide[first:last]
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
        for start, found in _scored(query, block):
            # Once `keep` are known, only a row that beats the worst of them can enter: it stands
            # later, so it loses ties.
            worst = scores.min() if scores.size == keep else None
            chosen = np.arange(found.size) if worst is None else np.flatnonzero(found > worst)
            if block.alive is not None:
                chosen = chosen[block.alive[chosen + start]]
            if chosen.size:
                positions = np.concatenate([positions, chosen + (offset + start)])
                scores = np.concatenate([scores, found[chosen]])
                kept = top_positions(scores, keep)
                positions, scores = positions[kept], scores[kept]
        offset += block.rows
    order = np.lexsort((positions, -scores))
    return Candidates(positions[order], scores[order], query.factor)


def rescore(query: RowQuery, blocks: BlockList, positions: IntArray, keep: int) -> Candidates:
    """Find the `keep` best of some rows: the second look at what a coarser scan found.

    Args:
        query: from `prepare_rows`, for the bits of these codes.
        blocks: codes that stand row after row; masks are not looked at.
        positions: (n,) rows, each once, counted through the blocks.
        keep: how many candidates, 1 or more.

    Returns:
        At most `keep` candidates by falling score; equal scores by rising position.

    Raises:
        ValueError: not rows of the query's width, or a position outside them.
    """
    wanted = check_positions(query, blocks, positions)
    scores = np.empty(wanted.size, dtype=np.int64)
    first = 0
    for block in blocks.blocks:
        start, stop = np.searchsorted(wanted, (first, first + block.rows))
        rows = wanted[start:stop] - first
        scores[start:stop] = _row_values(query, block.codes[rows]) * block.gains[rows]
        first += block.rows
    order = np.argsort(-scores, kind="stable")[:keep]
    return Candidates(wanted[order], scores[order], query.factor)


def _row_values(query: RowQuery, codes: ByteArray) -> IntArray:
    if isinstance(query, IntQuery):
        return _dot(query.weights, codes)
    # As wide as whole bytes: where there is no coordinate, the weight is 0.
    weights = np.ascontiguousarray(query.weights[:, : query.columns].T).reshape(-1)
    return _dot(weights, codes, query.bits)


def check_positions(query: RowQuery, blocks: BlockList, positions: IntArray) -> IntArray:
    """The positions in rising order, if `rescore` can take them.

    Raises:
        ValueError: see `rescore`.
    """
    wanted: IntArray = np.sort(np.asarray(positions, dtype=np.int64))
    check_width(query, blocks)
    if wanted.size and not (int(wanted[0]) >= 0 and int(wanted[-1]) < blocks.rows):
        raise ValueError(f"a position is outside the {blocks.rows} rows")
    return wanted


def check_width(query: RowQuery, blocks: BlockList) -> None:
    """Whether codes stand row after row and are as wide as the query.

    Raises:
        ValueError: they do not.
    """
    columns = query.columns if isinstance(query, PackedQuery) else query.weights.size
    for block in blocks.blocks[:1]:  # all blocks of a list are alike
        if block.codes.ndim != 2 or block.code_bytes != columns:
            raise ValueError(f"codes of shape {block.codes.shape} do not fit the query's {columns}")


def search(query: FloatArray, stages: StageList, keeps: Sequence[int]) -> Candidates:
    """Scan the first stage, then look at what is left in each later one.

    Args:
        query: (D,) float32, finite, D at least each stage's `dim`.
        stages: what is searched.
        keeps: how many candidates each stage hands on, 1 or more each.

    Returns:
        What the last stage keeps, by falling score of that stage; equal scores by rising position.
    """
    found: Candidates | None = None
    for stage, keep in zip(stages.stages, keeps, strict=True):
        values = turned(query[: stage.dim, None], stage.turns)[:, 0]
        if found is None:
            found = scan(prepare(values, stage.bits), stage.blocks, keep)
        else:
            rows = prepare_rows(values, stage.bits)
            found = rescore(rows, stage.blocks, found.positions, keep)
    assert found is not None  # a list of stages is never empty
    return found


def search_many(queries: FloatArray, stages: StageList, keeps: Sequence[int]) -> list[Candidates]:
    """`search` for each query.

    Args:
        queries: (m, D) float32.
        stages: what is searched.
        keeps: how many candidates each stage hands on.
    """
    return [search(query, stages, keeps) for query in queries]


def top_positions(scores: IntArray | npt.NDArray[np.float32], keep: int) -> IntArray:
    """Positions of the `keep` largest scores in rising order of position; ties go to the lower
    position.

    Args:
        scores: (n,) integers or floats without NaN.
        keep: 1 or more.

    Returns:
        (min(n, keep),) int64.
    """
    if scores.size <= _MANY * keep:
        return _top_of_few(scores, keep)
    # The best of some are no better than the best of all, so few others need to be looked at.
    some = scores[:: 2 * scores.size // (_MANY * keep)]
    bar = np.partition(some, some.size - keep)[some.size - keep]
    likely = np.flatnonzero(scores >= bar)
    return likely[_top_of_few(scores[likely], keep)]


def _top_of_few(scores: IntArray | npt.NDArray[np.float32], keep: int) -> IntArray:
    if scores.size <= keep:
        return np.arange(scores.size, dtype=np.int64)
    limit = np.partition(scores, scores.size - keep)[scores.size - keep]
    better = np.flatnonzero(scores > limit)
    equal = np.flatnonzero(scores == limit)[: keep - better.size]
    return np.sort(np.concatenate([better, equal]))
