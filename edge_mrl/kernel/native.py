"""The compiled kernel, scan.c, through ctypes. ctypes lets other threads run meanwhile."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl.kernel import hadamard, packer, reference
from edge_mrl.kernel.bit_planes import check_planes
from edge_mrl.kernel.blocks import BlockList, CodeBlock
from edge_mrl.kernel.checked_rows import (
    CRC_BYTES,
    RowProducts,
    check_records,
    check_width,
    crc_tables,
    outside,
)
from edge_mrl.kernel.library import LIBRARY, SOURCE, open_library
from edge_mrl.kernel.quantizer import (
    LEVELS,
    THRESHOLDS,
    WHOLE_LEVELS,
    ByteArray,
    Int8Array,
    IntQuery,
    PackedQuery,
    PreparedQuery,
    RowQuery,
    TableQuery,
    prepare_rows,
)
from edge_mrl.kernel.reference import Candidates, IntArray
from edge_mrl.kernel.room import Room, capacity_for, checked_lengths, run_in_threads
from edge_mrl.kernel.score_lists import BestRows, BoolArray, ScoreList, check_lists
from edge_mrl.kernel.stages import StageList, Turn, check_turns, turn_table, turned
from edge_mrl.slices import FloatArray

TARGETS = ("scalar", "ssse3", "avx2", "avx512", "neon", "neon-dotprod")
"""Numbered as in scan.c; of those that a CPU has, the last is the fastest."""

LEAST_SHARED_ROWS = 131_072
"""Starting a thread takes as long as scanning some thousand rows."""

_Integers = npt.NDArray[np.uint8] | npt.NDArray[np.int8]

_int64 = ctypes.c_int64


_room = Room()


@lru_cache(maxsize=16)
def _lengths(kept: tuple[int, ...]) -> ctypes.Array[ctypes.c_int64]:
    """How many each stage keeps, for the kernel."""
    return (_int64 * len(kept))(*kept)


class Loaded(NamedTuple):
    """The outcome of looking for compiled kernels.

    Attributes:
        kernels: one for each target that this CPU has, slowest first; empty without a library.
        missing: why there is none, or "".
    """

    kernels: tuple[NativeKernel, ...]
    missing: str


def load(library: Path = LIBRARY, source: Path = SOURCE) -> Loaded:
    """The kernels of a library; see `library.open_library`."""
    found = open_library(library, source)
    numbers = [number for number in range(len(TARGETS)) if found.targets >> number & 1]
    return Loaded(tuple(NativeKernel(found.calls, number) for number in numbers), found.missing)


class NativeKernel:
    """One target of the compiled kernel, behind the `Kernel` protocol."""

    def __init__(self, calls: dict[str, Callable[..., int]], target: int) -> None:
        self._calls = calls
        self._target = target
        # It is never freed: `crc_tables` keeps it.
        self._crc_address = crc_tables().ctypes.data

    @property
    def name(self) -> str:
        """The target's name."""
        return TARGETS[self._target]

    def prepare(self, query: FloatArray, bits: int) -> PreparedQuery:
        """See `quantizer.prepare`."""
        values = np.ascontiguousarray(query, dtype=np.float32)
        source, dim, factor = values.ctypes.data, values.size, ctypes.c_double()
        if bits == 8:
            weights = np.empty(dim, dtype=np.int8)
            self._calls["emk_weights"](source, dim, weights.ctypes.data, ctypes.byref(factor))
            return IntQuery(weights, factor.value)
        entries = np.empty((2 * ((dim * bits + 7) // 8), 16), dtype=np.uint8)
        offset = self._calls["emk_table"](
            source,
            dim,
            bits,
            LEVELS[bits].ctypes.data,
            entries.shape[0],
            entries.ctypes.data,
            ctypes.byref(factor),
        )
        return TableQuery(entries, offset, factor.value)

    def turn(self, values: FloatArray, signs: FloatArray) -> FloatArray:
        """See `hadamard.turn`; here for one vector."""
        result = np.array(values, dtype=np.float32, order="C")
        size = signs.size
        self._calls["emk_turn"](result.ctypes.data, signs.ctypes.data, size, hadamard.factor(size))
        return result

    def scan(self, query: PreparedQuery, blocks: BlockList, keep: int) -> Candidates:
        """See `reference.scan`.

        Raises:
            ValueError: the codes are not of the query's kind or width.
        """
        integers = _integers(query)
        arguments = self._arguments(query, integers, blocks.blocks)
        kept = min(keep, max(1, blocks.rows))
        capacity = capacity_for(kept, blocks.rows)
        work = np.empty((4, capacity), dtype=np.int64)
        count = self._calls["emk_scan"](
            *arguments, blocks.address, len(blocks.blocks), kept, capacity, work.ctypes.data
        )
        return Candidates(work[1, :count].copy(), work[0, :count].copy(), query.factor)

    def score(self, query: PreparedQuery | RowQuery, block: CodeBlock) -> IntArray:
        """See `reference.score`.

        Raises:
            ValueError: the codes are not of the query's kind or width.
        """
        if isinstance(query, PackedQuery):
            return self._row_scores(query, block)
        integers = _integers(query)
        scores = np.empty(block.rows, dtype=np.int64)
        listed = BlockList.of([block])
        arguments = self._arguments(query, integers, listed.blocks)
        self._calls["emk_scores"](*arguments, listed.address, scores.ctypes.data)
        return scores

    def _row_scores(self, query: PackedQuery, block: CodeBlock) -> IntArray:
        weights = np.ascontiguousarray(query.weights)
        listed = BlockList.of([block])
        reference.check_width(query, listed)
        scores = np.empty(block.rows, dtype=np.int64)
        self._calls["emk_row_scores"](
            self._target,
            query.bits,
            weights.ctypes.data,
            query.columns,
            weights.shape[1],
            WHOLE_LEVELS[query.bits].ctypes.data,
            listed.address,
            scores.ctypes.data,
        )
        return scores

    def pack_rows(
        self, rows: Int8Array, dim: int, bits: int, turns: Sequence[Turn]
    ) -> tuple[ByteArray, FloatArray]:
        """See `packer.pack_rows`.

        Raises:
            ValueError: the rows are too narrow, or the turns do not fit them.
        """
        rows = np.ascontiguousarray(rows, dtype=np.int8)
        if rows.ndim != 2 or rows.shape[1] < dim or bits not in THRESHOLDS:
            raise ValueError(f"rows of shape {rows.shape} for {dim}x{bits}")
        check_turns(turns, dim)
        table = turn_table(turns)
        long = packer.lengths(rows[:, :dim])
        codes = np.zeros((rows.shape[0], (dim * bits + 7) // 8), dtype=np.uint8)
        scales = np.empty(rows.shape[0], dtype=np.float32)
        scratch = np.empty(dim, dtype=np.float32)
        self._calls["emk_pack"](
            rows.ctypes.data,
            *rows.shape,
            long.ctypes.data,
            dim,
            bits,
            table.ctypes.data,
            len(turns),
            THRESHOLDS[bits].ctypes.data,
            LEVELS[bits].ctypes.data,
            np.float32(np.sqrt(dim)),
            codes.ctypes.data,
            scales.ctypes.data,
            scratch.ctypes.data,
        )
        return codes, scales

    def rescore(
        self, query: RowQuery, blocks: BlockList, positions: IntArray, keep: int
    ) -> Candidates:
        """See `reference.rescore`.

        Raises:
            ValueError: not rows of the query's width, or a position outside them.
        """
        weights = np.ascontiguousarray(query.weights)
        wanted = reference.check_positions(query, blocks, positions)
        count = wanted.size
        if not count:
            return Candidates(wanted, wanted, query.factor)
        bits, columns, stride, levels = 8, weights.size, 0, 0
        if isinstance(query, PackedQuery):
            bits, columns, stride = query.bits, query.columns, weights.shape[1]
            levels = WHOLE_LEVELS[bits].ctypes.data
        kept = min(keep, count)
        capacity = capacity_for(kept, count)
        work = np.empty((4, capacity), dtype=np.int64)
        found = self._calls["emk_rescore"](
            self._target,
            bits,
            weights.ctypes.data,
            columns,
            stride,
            levels,
            blocks.address,
            wanted.ctypes.data,
            count,
            kept,
            capacity,
            work.ctypes.data,
        )
        return Candidates(work[1, :found].copy(), work[0, :found].copy(), query.factor)

    def search(
        self, query: FloatArray, stages: StageList, keeps: Sequence[int], threads: int = 1
    ) -> Candidates:
        """See `reference.search`; several threads share a scan of `LEAST_SHARED_ROWS` or more.

        Raises:
            ValueError: the query is narrower than a stage, or there is not one number for each.
        """
        values = np.ascontiguousarray(query, dtype=np.float32)
        if values.ndim != 1:
            raise ValueError(f"a query of shape {values.shape}")
        kept, capacity = checked_lengths(values.size, stages, keeps)
        if threads > 1 and stages.rows >= LEAST_SHARED_ROWS:
            return self._shared_search(values, stages, kept, threads)
        room, factor = _room.of(5 * capacity, stages.scratch), ctypes.c_double()
        count = self._calls["emk_search"](
            self._target,
            values.ctypes.data,
            stages.address,
            len(kept),
            _lengths(tuple(kept)),
            capacity,
            room.work_address,
            room.scratch_address,
            ctypes.byref(factor),
        )
        found = room.work[capacity : capacity + count].copy()
        return Candidates(found, room.work[:count].copy(), factor.value)

    def _shared_search(
        self, values: FloatArray, stages: StageList, kept: list[int], threads: int
    ) -> Candidates:
        capacity = capacity_for(kept[0], stages.rows)
        counter = np.zeros(1, dtype=np.int32)
        shares: list[tuple[IntArray, IntArray]] = []

        def scan_share() -> None:
            room = _room.of(4 * capacity, stages.scratch)
            count = self._calls["emk_scan_share"](
                self._target,
                values.ctypes.data,
                stages.address,
                kept[0],
                capacity,
                room.work_address,
                room.scratch_address,
                counter.ctypes.data,
            )
            # Appending is atomic.
            shares.append((room.work[capacity : capacity + count].copy(), room.work[:count].copy()))

        run_in_threads(scan_share, threads)
        positions = np.concatenate([share[0] for share in shares])
        scores = np.concatenate([share[1] for share in shares])
        order = np.argsort(positions)
        positions, scores = positions[order], scores[order]
        best = reference.top_positions(scores, kept[0])
        positions, scores = positions[best], scores[best]
        falling = np.argsort(-scores, kind="stable")
        first = stages.stages[0]
        rotated = turned(values[: first.dim, None], first.turns)[:, 0]
        factor = self.prepare(rotated, first.bits).factor
        found = Candidates(positions[falling], scores[falling], factor)
        for stage, keep in zip(stages.stages[1:], kept[1:], strict=True):
            rotated = turned(values[: stage.dim, None], stage.turns)[:, 0]
            query = prepare_rows(rotated, stage.bits)
            found = self.rescore(query, stage.blocks, found.positions, keep)
        return found

    def search_many(
        self, queries: FloatArray, stages: StageList, keeps: Sequence[int], threads: int = 1
    ) -> list[Candidates]:
        """See `reference.search_many`; the threads take one query after another.

        Raises:
            ValueError: the queries are narrower than a stage, or there is not one number for each.
        """
        values = np.ascontiguousarray(queries, dtype=np.float32)
        if values.ndim != 2:
            raise ValueError(f"queries of shape {values.shape}")
        kept, capacity = checked_lengths(values.shape[1], stages, keeps)
        many, last = values.shape[0], kept[-1]
        positions = np.empty((many, last), dtype=np.int64)
        scores = np.empty((many, last), dtype=np.int64)
        found, factors = np.zeros(many, dtype=np.int64), np.zeros(many)
        counter = np.zeros(1, dtype=np.int32)
        lengths = _lengths(tuple(kept))

        def take_some() -> None:
            room = _room.of(5 * capacity, stages.scratch)
            self._calls["emk_search_many"](
                self._target,
                values.ctypes.data,
                values.shape[1],
                many,
                stages.address,
                len(kept),
                lengths,
                capacity,
                room.work_address,
                room.scratch_address,
                counter.ctypes.data,
                last,
                positions.ctypes.data,
                scores.ctypes.data,
                found.ctypes.data,
                factors.ctypes.data,
            )

        run_in_threads(take_some, min(threads, many))
        return [
            Candidates(positions[number, :count], scores[number, :count], factor)
            for number, (count, factor) in enumerate(
                zip(found.tolist(), factors.tolist(), strict=True)
            )
        ]

    def best_rows(
        self,
        lists: Sequence[ScoreList],
        rows: int,
        keep: int,
        allowed: BoolArray | None = None,
        every: bool = False,
    ) -> BestRows:
        """See `score_lists.best_rows`.

        Raises:
            ValueError: a list holds a row that there is not, or the mask does not fit.
        """
        check_lists(lists, rows, allowed)
        table = np.array([(*one.address, 0) for one in lists], dtype=np.int64)
        kept = min(keep, max(1, rows))
        capacity = capacity_for(kept, rows)
        room = _room.of(4 * capacity, 0)
        count = self._calls["emk_best_rows"](
            table.ctypes.data,
            len(lists),
            rows,
            0 if allowed is None else allowed.ctypes.data,
            every,
            kept,
            capacity,
            room.work_address,
        )
        found = room.work[capacity : capacity + count].copy()
        return BestRows(found, room.work[:count].view(np.float64).copy())

    def row_products(self, records: bytes, rows: IntArray, query: FloatArray) -> RowProducts | None:
        """See `checked_rows.row_products`.

        Raises:
            ValueError: there are not as many records as rows.
        """
        values = np.ascontiguousarray(query, dtype=np.float32)
        numbers = np.ascontiguousarray(rows, dtype=np.int64)
        count, size = numbers.size, values.size + CRC_BYTES
        check_records(records, numbers, size)
        found = np.empty((2, count))
        address = found.ctypes.data
        sound = self._calls["emk_row_products"](
            records,
            size,
            numbers.ctypes.data,
            count,
            values.ctypes.data,
            self._crc_address,
            _room.of(0, 4 * values.size).scratch_address,
            address,
            address + 8 * count,
        )
        return RowProducts(found[0], found[1]) if sound == count else None

    def picked_products(
        self, table: Int8Array, places: IntArray, query: FloatArray
    ) -> npt.NDArray[np.float64]:
        """See `checked_rows.picked_products`.

        Raises:
            ValueError: the query is not as wide as the table, or a place is outside it.
        """
        values = np.ascontiguousarray(query, dtype=np.float32)
        wanted = np.ascontiguousarray(places, dtype=np.int64)
        check_width(table, values.size)
        numbers = np.ascontiguousarray(table, dtype=np.int8)
        products = np.empty(wanted.size)
        inside = self._calls["emk_picked_products"](
            numbers.ctypes.data,
            *numbers.shape,
            wanted.ctypes.data,
            wanted.size,
            values.ctypes.data,
            _room.of(0, 4 * values.size).scratch_address,
            products.ctypes.data,
        )
        if not inside:
            raise outside(table)
        return products

    def join_planes(self, planes: ByteArray, scan: CodeBlock, bits: int, codes: ByteArray) -> None:
        """See `bit_planes.join_planes`.

        Raises:
            ValueError: shapes or strides do not fit.
        """
        check_planes(planes, scan, bits, codes)
        self._calls["emk_join_planes"](
            planes.ctypes.data,
            scan.codes.ctypes.data,
            scan.rows,
            scan.code_bytes,
            bits,
            codes.ctypes.data,
            codes.shape[1],
            _room.of(0, bits * scan.code_bytes).scratch_address,
        )

    def _arguments(
        self, query: PreparedQuery, integers: _Integers, blocks: tuple[CodeBlock, ...]
    ) -> tuple[int, ...]:
        """What names a query to scan.c; `integers` must live until the call is over."""
        is_table = isinstance(query, TableQuery)
        columns = integers.shape[0] // 2 if is_table else integers.shape[0]
        offset = query.offset if isinstance(query, TableQuery) else 0
        # All blocks of a list are alike.
        for block in blocks[:1]:
            if (block.codes.ndim == 3) != is_table or block.code_bytes != columns:
                raise ValueError(
                    f"codes of shape {block.codes.shape} do not fit a query of {columns} bytes"
                )
        return self._target, int(is_table), integers.ctypes.data, columns, offset


def _integers(query: PreparedQuery) -> _Integers:
    if isinstance(query, TableQuery):
        return np.ascontiguousarray(query.entries)
    return np.ascontiguousarray(query.weights)
