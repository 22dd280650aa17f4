"""Packed codes as the scan reads them. Pure arrays.

1-, 2- and 4-bit codes stand in blocks of 64 rows: byte 0 of 64 rows, then byte 1 of the same rows,
and so on. A vector instruction then looks up one table for up to 64 rows, and the scan reads
memory strictly forward. The last block is filled up with zero bytes. 8-bit codes stand row after
row, as a dot product reads them.
"""

from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from edge_mrl.kernel.quantizer import ByteArray

GainArray = npt.NDArray[np.uint16]
BoolArray = npt.NDArray[np.bool_]

BLOCK_ROWS = 64


class _BlockFields(NamedTuple):
    codes: ByteArray
    gains: GainArray
    alive: BoolArray | None = None


class CodeBlock(_BlockFields):
    """Packed codes of some rows.

    Attributes:
        codes: (blocks, code_bytes, 64) uint8 for 1, 2 and 4 bits, blocks = ceil(rows / 64);
            (rows, dim) uint8 for 8 bits. C-contiguous.
        gains: (rows,) uint16, contiguous.
        alive: (rows,) bool, False for rows that must not appear; None where all may.

    Raises:
        ValueError: shapes, types or strides are not these: a compiled kernel relies on them.
    """

    __slots__ = ()

    def __new__(cls, codes: ByteArray, gains: GainArray, alive: BoolArray | None = None) -> Self:
        """Checked as the class says."""
        rows = gains.size
        if codes.ndim == 3:
            sound = codes.shape[::2] == (-(-rows // BLOCK_ROWS), BLOCK_ROWS)
        else:
            sound = codes.ndim == 2 and codes.shape[0] == rows
        if not (sound and _plain(codes, np.uint8) and _plain(gains, np.uint16)):
            raise ValueError(f"codes of shape {codes.shape} do not fit {rows} gains")
        if alive is not None and not (_plain(alive, np.bool_) and alive.shape == (rows,)):
            raise ValueError(f"a mask of shape {alive.shape} does not fit {rows} rows")
        return super().__new__(cls, codes, gains, alive)

    @property
    def rows(self) -> int:
        """How many rows, deleted ones too."""
        return int(self.gains.size)

    @property
    def code_bytes(self) -> int:
        """Bytes of one row's codes."""
        return int(self.codes.shape[1])


def _plain(array: npt.NDArray[np.generic], kind: type[np.generic]) -> bool:
    return bool(array.dtype == kind and array.flags.c_contiguous)


class BlockList(NamedTuple):
    """Blocks that are scanned together, with what a compiled kernel wants to know of them.

    Attributes:
        blocks: in order; positions count through them.
        rows: rows of all blocks, deleted ones too.
        table: (n, 5) uint64: where codes, gains and mask stand in memory (0 without a mask), the
            number of rows, and the largest gain.
        address: where that table stands. All addresses hold as long as this object lives.
    """

    blocks: tuple[CodeBlock, ...]
    rows: int
    table: npt.NDArray[np.uint64]
    address: int

    @classmethod
    def of(cls, blocks: Iterable[CodeBlock]) -> Self:
        """Look everything up once, for any number of scans.

        Raises:
            ValueError: the blocks are not all of one kind and width.
        """
        kept = tuple(blocks)
        for block in kept:
            first = kept[0]
            if (block.codes.ndim, block.code_bytes) != (first.codes.ndim, first.code_bytes):
                raise ValueError(f"codes of {first.code_bytes} and {block.code_bytes} bytes a row")
        entries = [
            (
                block.codes.ctypes.data,
                block.gains.ctypes.data,
                0 if block.alive is None else block.alive.ctypes.data,
                block.rows,
                int(block.gains.max(initial=0)),
            )
            for block in kept
        ]
        table = np.array(entries, dtype=np.uint64).reshape(len(kept), 5)
        return cls(kept, sum(block.rows for block in kept), table, table.ctypes.data)


def pack(packed: ByteArray, bits: int) -> ByteArray:
    """Rows of codes to the scan's order.

    Args:
        packed: (n, code_bytes) uint8.
        bits: 1, 2, 4 or 8.

    Returns:
        What `CodeBlock.codes` holds.
    """
    if bits == 8:
        return np.ascontiguousarray(packed)
    rows, columns = packed.shape
    filled = np.zeros((-(-rows // BLOCK_ROWS) * BLOCK_ROWS, columns), dtype=np.uint8)
    filled[:rows] = packed
    return np.ascontiguousarray(filled.reshape(-1, BLOCK_ROWS, columns).transpose(0, 2, 1))


def unpack(block: CodeBlock) -> ByteArray:
    """The rows of a block again.

    Returns:
        (rows, code_bytes) uint8.
    """
    if block.codes.ndim == 2:
        return block.codes
    turned = block.codes.transpose(0, 2, 1).reshape(-1, block.code_bytes)
    return np.ascontiguousarray(turned[: block.rows])
