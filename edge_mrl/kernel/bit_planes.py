"""Codes of 2 and 4 bits from their bit planes. Pure numpy: the definition that a compiled kernel
must equal.

The highest bit of a code number says that the rotated coordinate is not below 0, and so does a
1-bit code of the same coordinates. So the other planes and the scan codes say all.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from edge_mrl.kernel.blocks import BLOCK_ROWS, CodeBlock
from edge_mrl.kernel.quantizer import ByteArray

_BLOCKS = 16
"""Blocks of rows worked on at once: their temporaries stay in cache."""


def join_planes(planes: ByteArray, scan: CodeBlock, bits: int, codes: ByteArray) -> None:
    """Codes from their lower planes and the 1-bit codes of the same rows and coordinates.

    Args:
        planes: (n, (bits - 1) x bytes of a plane) uint8: the lowest bits of a row's code numbers,
            eight to a byte, the first coordinate in the lowest bit; then their next bits.
        scan: n rows of 1-bit codes.
        bits: 2 or 4.
        codes: (n, code_bytes) uint8, written to. The planes may be its last bytes: each is read
            before anything is written there.

    Raises:
        ValueError: shapes or strides do not fit: a compiled kernel relies on them.
    """
    check_planes(planes, scan, bits, codes)
    rows, columns = codes.shape[0], scan.code_bytes
    spread = _spread_bits(bits).astype("<u2" if bits == 2 else "<u4")
    step = _BLOCKS * BLOCK_ROWS
    looked_up = np.empty((step, columns), dtype=spread.dtype)
    for start in range(0, rows, step):
        part = planes[start : start + step]
        count = part.shape[0]
        first = start // BLOCK_ROWS
        highest = scan.codes[first : first + _BLOCKS].transpose(0, 2, 1).reshape(-1, columns)
        # Without `clip`, which changes nothing here, numpy copies what it writes.
        numbers = np.take(spread, highest[:count], mode="clip")
        for bit in reversed(range(bits - 1)):
            numbers <<= 1
            plane = part[:, bit * columns : (bit + 1) * columns]
            numbers |= np.take(spread, plane, out=looked_up[:count], mode="clip")
        codes[start : start + step] = numbers.view(np.uint8)[:, : codes.shape[1]]


def check_planes(planes: ByteArray, scan: CodeBlock, bits: int, codes: ByteArray) -> None:
    """Whether the arguments of `join_planes` fit each other.

    Raises:
        ValueError: they do not.
    """
    rows, columns = scan.rows, scan.code_bytes
    widest = bits * columns
    fits = (
        bits in (2, 4)
        and scan.codes.ndim == 3
        and planes.shape == (rows, (bits - 1) * columns)
        and codes.ndim == 2
        and codes.shape[0] == rows
        and widest - bits < codes.shape[1] <= widest
    )
    plain = planes.flags.c_contiguous and codes.flags.c_contiguous
    if not (fits and plain and planes.dtype == codes.dtype == np.uint8):
        raise ValueError(f"planes of shape {planes.shape} do not fit codes of {codes.shape}")


@cache
def _spread_bits(bits: int) -> npt.NDArray[np.uint32]:
    """(256,) What a byte becomes when there are `bits` bits from each of its bits to the next."""
    values = np.arange(256)
    moved = sum(((values >> bit) & 1) << (bit * bits) for bit in range(8))
    return np.asarray(moved, dtype=np.uint32)
