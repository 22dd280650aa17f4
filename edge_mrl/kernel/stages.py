"""What a search goes through: a scan of all rows, then closer looks at fewer and fewer. Arrays
only."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from edge_mrl.kernel import hadamard
from edge_mrl.kernel.blocks import BlockList
from edge_mrl.kernel.quantizer import LEVELS, WHOLE_LEVELS
from edge_mrl.slices import FloatArray


class Turn(NamedTuple):
    """One pass of a rotation: `hadamard.turn` of a part of the vector.

    Attributes:
        start: first coordinate.
        stop: coordinate after the last; stop - start is a power of two.
        signs: (stop - start,) float32, each 1 or -1.
    """

    start: int
    stop: int
    signs: FloatArray


def turn_table(turns: Sequence[Turn]) -> npt.NDArray[np.int64]:
    """(n, 4) int64 for a compiled kernel: address of the signs, start, size, bits of the factor as
    float64. The signs must live as long as it is used."""
    table = np.zeros((len(turns), 4), dtype=np.int64)
    for row, turn in zip(table, turns, strict=True):
        size = turn.stop - turn.start
        row[:3] = turn.signs.ctypes.data, turn.start, size
        row[3:] = np.array([hadamard.factor(size)], dtype=np.float64).view(np.int64)
    return table


def turned(columns: FloatArray, turns: Iterable[Turn]) -> FloatArray:
    """Rotate vectors that stand as columns.

    Args:
        columns: (dim, n) float32.
        turns: in order.

    Returns:
        (dim, n) float32, a new array.
    """
    result = columns.copy()
    for turn in turns:
        result[turn.start : turn.stop] = hadamard.turn(result[turn.start : turn.stop], turn.signs)
    return result


class Stage(NamedTuple):
    """Rows at one precision.

    Attributes:
        dim: coordinates of the query that count, from the first on.
        bits: of a code: 1, 2, 4 or 8.
        turns: how the codes were rotated.
        blocks: the codes: for the first stage as `blocks.pack` makes them, for later ones row after
            row, (rows, code_bytes). All stages hold the same rows in the same order.
    """

    dim: int
    bits: int
    turns: tuple[Turn, ...]
    blocks: BlockList


class StageList(NamedTuple):
    """Stages of a search, with what a compiled kernel wants to know of them.

    Attributes:
        stages: in order, at least one.
        rows: how many each stage holds.
        width: coordinates that a query must have.
        address: where the table for the kernel stands; holds as long as this object lives.
        scratch: bytes that the kernel needs for a query.
        kept: keeps what the table points to alive.
    """

    stages: tuple[Stage, ...]
    rows: int
    width: int
    address: int
    scratch: int
    kept: tuple[npt.NDArray[np.generic], ...]

    @classmethod
    def of(cls, stages: Iterable[Stage]) -> Self:
        """Look everything up once, for any number of searches.

        Raises:
            ValueError: codes of the wrong kind or width, a turn that does not fit, or stages of
                different rows: a compiled kernel relies on all of it.
        """
        listed = tuple(stages)
        if not listed:
            raise ValueError("a search needs a stage")
        table = np.zeros((len(listed), 9), dtype=np.int64)
        kept: list[npt.NDArray[np.generic]] = [table]
        scratch = 0
        for number, stage in enumerate(listed):
            columns = (stage.dim * stage.bits + 7) // 8
            _check(stage, columns, interleaved=number == 0 and stage.bits < 8)
            if stage.blocks.rows != listed[0].blocks.rows:
                raise ValueError(f"{stage.blocks.rows} rows after {listed[0].blocks.rows}")
            turns = turn_table(stage.turns)
            kept += [turns, *(turn.signs for turn in stage.turns)]
            levels = 0
            if stage.bits < 8:
                by_bits = LEVELS if number == 0 else WHOLE_LEVELS
                levels = by_bits[stage.bits].ctypes.data
            table[number] = (
                stage.blocks.address,
                len(stage.blocks.blocks),
                stage.dim,
                stage.bits,
                columns,
                turns.ctypes.data,
                len(stage.turns),
                levels,
                stage.blocks.rows,
            )
            values = 4 * _whole(stage.dim)
            planes = _whole(stage.dim) + 8 // stage.bits * _whole(columns)
            scratch = max(scratch, values + max(32 * columns, planes))
        rows, width = listed[0].blocks.rows, max(stage.dim for stage in listed)
        return cls(listed, rows, width, table.ctypes.data, scratch, tuple(kept))


def _whole(size: int) -> int:
    return -(-size // 64) * 64


def _check(stage: Stage, columns: int, *, interleaved: bool) -> None:
    for block in stage.blocks.blocks[:1]:  # all blocks of a list are alike
        if (block.codes.ndim == 3) != interleaved or block.code_bytes != columns:
            raise ValueError(f"codes of shape {block.codes.shape} for {stage.dim}x{stage.bits}")
    check_turns(stage.turns, stage.dim)


def check_turns(turns: Iterable[Turn], dim: int) -> None:
    """Whether a compiled kernel may use them on vectors of `dim` coordinates.

    Raises:
        ValueError: it may not.
    """
    for turn in turns:
        size = turn.stop - turn.start
        fits = 0 <= turn.start < turn.stop <= dim and not size & (size - 1)
        plain = turn.signs.dtype == np.float32 and turn.signs.flags.c_contiguous
        if not (fits and plain and turn.signs.shape == (size,)):
            raise ValueError(f"a turn of {turn.start}..{turn.stop} does not fit {dim}")
