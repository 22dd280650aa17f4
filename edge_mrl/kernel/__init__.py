"""The scan kernel: a query, packed codes, and the best rows.

Reading order: quantizer (what codes and queries mean), packer (vectors to codes), blocks (how codes
lie in memory), stages (a scan and closer looks), reference (all of it in numpy: the definition),
score_lists (sums of lists, which need no codes), checked_rows (rows with a checksum), bit_planes
(codes from their planes), scan.c and native (the same, compiled), dispatch (which runs).
All kernels give the same numbers, so the choice never changes a hit. This package knows nothing of
documents or models.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_mrl.kernel.blocks import BLOCK_ROWS, BlockList, CodeBlock, pack, unpack
from edge_mrl.kernel.checked_rows import RowProducts, WideArray
from edge_mrl.kernel.dispatch import KernelInfo, available, current, info
from edge_mrl.kernel.protocol import Kernel
from edge_mrl.kernel.quantizer import (
    LEVELS,
    THRESHOLDS,
    ByteArray,
    Int8Array,
    PreparedQuery,
    RowQuery,
    prepare_rows,
)
from edge_mrl.kernel.reference import Candidates, IntArray, top_positions
from edge_mrl.kernel.score_lists import BestRows, BoolArray, ScoreList
from edge_mrl.kernel.stages import Stage, StageList, Turn
from edge_mrl.slices import FloatArray

__all__ = [
    "BLOCK_ROWS",
    "LEVELS",
    "THRESHOLDS",
    "BestRows",
    "BlockList",
    "Candidates",
    "CodeBlock",
    "Kernel",
    "KernelInfo",
    "PreparedQuery",
    "RowProducts",
    "RowQuery",
    "ScoreList",
    "Stage",
    "StageList",
    "Turn",
    "available",
    "best_rows",
    "info",
    "join_planes",
    "pack",
    "pack_rows",
    "picked_products",
    "prepare",
    "prepare_rows",
    "rescore",
    "row_products",
    "scan",
    "score",
    "search",
    "search_many",
    "top_positions",
    "turn",
    "unpack",
]


def prepare(query: FloatArray, bits: int) -> PreparedQuery:
    """Turn a query into the integers that the scan adds up; see `quantizer.prepare`.

    Args:
        query: (dim,) float32, finite, rotated as the codes are.
        bits: 1, 2, 4 or 8.
    """
    return current().prepare(query, bits)


def turn(values: FloatArray, signs: FloatArray) -> FloatArray:
    """One pass of the rotation over one vector; see `hadamard.turn`.

    Args:
        values: (p,) float32, p a power of two.
        signs: (p,) float32, each 1 or -1.

    Returns:
        (p,) float32, a new array.
    """
    return current().turn(values, signs)


def scan(query: PreparedQuery, blocks: BlockList | Sequence[CodeBlock], keep: int) -> Candidates:
    """Find the `keep` best rows that are alive.

    Args:
        query: from `prepare`, for the bits of these codes.
        blocks: in order; positions count through them. A `BlockList` saves time when they are
            scanned more than once.
        keep: how many candidates, 1 or more.

    Returns:
        At most `keep` candidates by falling score; equal scores by rising position.
    """
    listed = blocks if isinstance(blocks, BlockList) else BlockList.of(blocks)
    return current().scan(query, listed, keep)


def score(query: PreparedQuery | RowQuery, block: CodeBlock) -> IntArray:
    """Score every row of a block, deleted ones too.

    Args:
        query: from `prepare` for codes as they are scanned, from `prepare_rows` for codes that
            stand row after row.
        block: the codes.

    Returns:
        (rows,) int64.
    """
    return current().score(query, block)


def rescore(query: RowQuery, blocks: BlockList, positions: IntArray, keep: int) -> Candidates:
    """Find the `keep` best of some rows; see `reference.rescore`.

    Args:
        query: from `prepare_rows`, for the bits of these codes.
        blocks: codes that stand row after row.
        positions: (n,) rows, each once, counted through the blocks.
        keep: how many candidates, 1 or more.
    """
    return current().rescore(query, blocks, positions, keep)


def search(
    query: FloatArray, stages: StageList, keeps: Sequence[int], threads: int = 1
) -> Candidates:
    """Scan the first stage, then look at what is left in each later one.

    Args:
        query: (D,) float32, finite, D at least each stage's `dim`; not rotated.
        stages: what is searched.
        keeps: how many candidates each stage hands on, 1 or more each.
        threads: how many share a long scan; the numpy kernel uses one.

    Returns:
        What the last stage keeps, by falling score of that stage; equal scores by rising position.
    """
    return current().search(query, stages, keeps, threads)


def pack_rows(
    rows: Int8Array, dim: int, bits: int, turns: Sequence[Turn]
) -> tuple[ByteArray, FloatArray]:
    """Pack vectors of whole numbers to codes of 1, 2 or 4 bits; see `packer.pack_rows`."""
    return current().pack_rows(rows, dim, bits, turns)


def search_many(
    queries: FloatArray, stages: StageList, keeps: Sequence[int], threads: int = 1
) -> list[Candidates]:
    """`search` for each of many queries.

    Args:
        queries: (m, D) float32, finite.
        stages: what is searched.
        keeps: how many candidates each stage hands on, 1 or more each.
        threads: how many work at once; the numpy kernel uses one.

    Returns:
        One for each query, as `search` gives it.
    """
    return current().search_many(queries, stages, keeps, threads)


def best_rows(
    lists: Sequence[ScoreList],
    rows: int,
    keep: int,
    allowed: BoolArray | None = None,
    every: bool = False,
) -> BestRows:
    """Find the best rows by the sum of their scores in some lists; see `score_lists.best_rows`."""
    return current().best_rows(lists, rows, keep, allowed, every)


def row_products(records: bytes, rows: IntArray, query: FloatArray) -> RowProducts | None:
    """Check rows and multiply them by a query; see `checked_rows.row_products`."""
    return current().row_products(records, rows, query)


def picked_products(table: Int8Array, places: IntArray, query: FloatArray) -> WideArray:
    """Multiply some rows of a table by a query; see `checked_rows.picked_products`."""
    return current().picked_products(table, places, query)


def join_planes(planes: ByteArray, scan: CodeBlock, bits: int, codes: ByteArray) -> None:
    """Codes from their lower planes and 1-bit codes; see `bit_planes.join_planes`."""
    current().join_planes(planes, scan, bits, codes)
