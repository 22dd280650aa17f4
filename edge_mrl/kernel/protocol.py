"""What a kernel is. Implementations: `numpy_kernel` (the definition) and `native` (compiled)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edge_mrl.kernel.blocks import BlockList, CodeBlock
from edge_mrl.kernel.checked_rows import RowProducts, WideArray
from edge_mrl.kernel.quantizer import ByteArray, Int8Array, PreparedQuery, RowQuery
from edge_mrl.kernel.reference import Candidates, IntArray
from edge_mrl.kernel.score_lists import BestRows, BoolArray, ScoreList
from edge_mrl.kernel.stages import StageList, Turn
from edge_mrl.slices import FloatArray


class Kernel(Protocol):
    """Twelve functions; every kernel returns the same numbers."""

    @property
    def name(self) -> str:
        """``"numpy"``, or the target that a compiled kernel was made for, such as ``"avx2"``."""

    def prepare(self, query: FloatArray, bits: int) -> PreparedQuery:
        """As `quantizer.prepare`."""

    def turn(self, values: FloatArray, signs: FloatArray) -> FloatArray:
        """One pass of the rotation over one vector, (p,) float32: as `hadamard.turn`."""

    def scan(self, query: PreparedQuery, blocks: BlockList, keep: int) -> Candidates:
        """As `reference.scan`."""

    def score(self, query: PreparedQuery | RowQuery, block: CodeBlock) -> IntArray:
        """As `reference.score`."""

    def pack_rows(
        self, rows: Int8Array, dim: int, bits: int, turns: Sequence[Turn]
    ) -> tuple[ByteArray, FloatArray]:
        """As `packer.pack_rows`."""

    def rescore(
        self, query: RowQuery, blocks: BlockList, positions: IntArray, keep: int
    ) -> Candidates:
        """As `reference.rescore`."""

    def search(
        self, query: FloatArray, stages: StageList, keeps: Sequence[int], threads: int = 1
    ) -> Candidates:
        """As `reference.search`, on several threads where the kernel can."""

    def search_many(
        self, queries: FloatArray, stages: StageList, keeps: Sequence[int], threads: int = 1
    ) -> list[Candidates]:
        """As `reference.search_many`, on several threads where the kernel can."""

    def best_rows(
        self,
        lists: Sequence[ScoreList],
        rows: int,
        keep: int,
        allowed: BoolArray | None = None,
        every: bool = False,
    ) -> BestRows:
        """As `score_lists.best_rows`."""

    def row_products(self, records: bytes, rows: IntArray, query: FloatArray) -> RowProducts | None:
        """As `checked_rows.row_products`."""

    def picked_products(self, table: Int8Array, places: IntArray, query: FloatArray) -> WideArray:
        """As `checked_rows.picked_products`."""

    def join_planes(self, planes: ByteArray, scan: CodeBlock, bits: int, codes: ByteArray) -> None:
        """As `bit_planes.join_planes`."""
