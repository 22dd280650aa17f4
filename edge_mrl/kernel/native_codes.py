"""The compiled kernel's queries and codes: made, and scored one against the other."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edge_mrl.kernel import hadamard, packer, reference
from edge_mrl.kernel.blocks import BlockList, CodeBlock
from edge_mrl.kernel.library import TARGETS
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
)
from edge_mrl.kernel.reference import Candidates, IntArray
from edge_mrl.kernel.room import capacity_for
from edge_mrl.kernel.stages import Turn, check_turns, turn_table
from edge_mrl.slices import FloatArray

_Integers = npt.NDArray[np.uint8] | npt.NDArray[np.int8]


class NativeCodes:
    """The part of `NativeKernel` that makes queries and codes and scores one against the other."""

    def __init__(self, calls: dict[str, Callable[..., int]], target: int) -> None:
        self._calls = calls
        self._target = target

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
