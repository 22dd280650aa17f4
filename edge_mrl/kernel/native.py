"""The compiled kernel, scan.c, through ctypes. ctypes lets other threads run meanwhile."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_mrl.kernel import reference
from edge_mrl.kernel.bit_planes import check_planes
from edge_mrl.kernel.blocks import CodeBlock
from edge_mrl.kernel.checked_rows import (
    CRC_BYTES,
    RowProducts,
    check_records,
    check_width,
    crc_tables,
    outside,
)
from edge_mrl.kernel.library import LIBRARY, SOURCE, TARGETS, open_library
from edge_mrl.kernel.native_codes import NativeCodes
from edge_mrl.kernel.quantizer import ByteArray, Int8Array, prepare_rows
from edge_mrl.kernel.reference import Candidates, IntArray
from edge_mrl.kernel.room import Room, capacity_for, checked_lengths, run_in_threads
from edge_mrl.kernel.score_lists import BestRows, BoolArray, ScoreList, check_lists
from edge_mrl.kernel.stages import StageList, turned
from edge_mrl.slices import FloatArray

LEAST_SHARED_ROWS = 131_072
"""Starting a thread takes as long as scanning some thousand rows."""

_room = Room()


@lru_cache(maxsize=16)
def _lengths(kept: tuple[int, ...]) -> ctypes.Array[ctypes.c_int64]:
    """How many each stage keeps, for the kernel."""
    return (ctypes.c_int64 * len(kept))(*kept)


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


class NativeKernel(NativeCodes):
    """One target of the compiled kernel, behind the `Kernel` protocol."""

    def __init__(self, calls: dict[str, Callable[..., int]], target: int) -> None:
        super().__init__(calls, target)
        # It is never freed: `crc_tables` keeps it.
        self._crc_address = crc_tables().ctypes.data

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
