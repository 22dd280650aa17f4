"""The kernel that needs no compiler: the definition itself."""

from __future__ import annotations

from collections.abc import Sequence

from edge_mrl.kernel import (
    bit_planes,
    checked_rows,
    hadamard,
    packer,
    quantizer,
    reference,
    score_lists,
)
from edge_mrl.kernel.blocks import BlockList, CodeBlock
from edge_mrl.kernel.checked_rows import RowProducts
from edge_mrl.kernel.quantizer import ByteArray, Int8Array, PreparedQuery, RowQuery
from edge_mrl.kernel.reference import Candidates, IntArray
from edge_mrl.kernel.score_lists import BestRows, BoolArray, ScoreList
from edge_mrl.kernel.stages import StageList, Turn
from edge_mrl.slices import FloatArray


class NumpyKernel:
    """`quantizer.prepare` and `reference`, behind the `Kernel` protocol."""

    name = "numpy"

    def prepare(self, query: FloatArray, bits: int) -> PreparedQuery:
        """See `quantizer.prepare`."""
        return quantizer.prepare(query, bits)

    def turn(self, values: FloatArray, signs: FloatArray) -> FloatArray:
        """See `hadamard.turn`; here for one vector."""
        return hadamard.turn(values[:, None], signs)[:, 0]

    def scan(self, query: PreparedQuery, blocks: BlockList, keep: int) -> Candidates:
        """See `reference.scan`."""
        return reference.scan(query, blocks, keep)

    def score(self, query: PreparedQuery | RowQuery, block: CodeBlock) -> IntArray:
        """See `reference.score`."""
        return reference.score(query, block)

    def pack_rows(
        self, rows: Int8Array, dim: int, bits: int, turns: Sequence[Turn]
    ) -> tuple[ByteArray, FloatArray]:
        """See `packer.pack_rows`."""
        return packer.pack_rows(rows, dim, bits, turns)

    def rescore(
        self, query: RowQuery, blocks: BlockList, positions: IntArray, keep: int
    ) -> Candidates:
        """See `reference.rescore`."""
        return reference.rescore(query, blocks, positions, keep)

    def search(
        self, query: FloatArray, stages: StageList, keeps: Sequence[int], threads: int = 1
    ) -> Candidates:
        """See `reference.search`; one thread, whatever is asked."""
        return reference.search(query, stages, keeps)

    def search_many(
        self, queries: FloatArray, stages: StageList, keeps: Sequence[int], threads: int = 1
    ) -> list[Candidates]:
        """See `reference.search_many`; one thread, whatever is asked."""
        return reference.search_many(queries, stages, keeps)

    def best_rows(
        self,
        lists: Sequence[ScoreList],
        rows: int,
        keep: int,
        allowed: BoolArray | None = None,
        every: bool = False,
    ) -> BestRows:
        """See `score_lists.best_rows`."""
        return score_lists.best_rows(lists, rows, keep, allowed, every)

    def row_products(self, records: bytes, rows: IntArray, query: FloatArray) -> RowProducts | None:
        """See `checked_rows.row_products`."""
        return checked_rows.row_products(records, rows, query)

    def picked_products(
        self, table: Int8Array, places: IntArray, query: FloatArray
    ) -> checked_rows.WideArray:
        """See `checked_rows.picked_products`."""
        return checked_rows.picked_products(table, places, query)

    def join_planes(self, planes: ByteArray, scan: CodeBlock, bits: int, codes: ByteArray) -> None:
        """See `bit_planes.join_planes`."""
        bit_planes.join_planes(planes, scan, bits, codes)
