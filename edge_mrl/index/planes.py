"""Refine codes as bit planes, without the one that 1-bit scan codes hold already. Pure arrays.

The highest bit of a 2- or 4-bit code number says that the rotated coordinate is not below 0, and so
does a 1-bit code. Where scan and refine codes are of the same coordinates, a file keeps it once.
"""

from __future__ import annotations

import numpy as np

from edge_mrl.index.codes import ByteArray
from edge_mrl.index.layout import IndexLayout
from edge_mrl.kernel import BLOCK_ROWS, CodeBlock
from edge_mrl.slices import Slice

_BLOCKS = 16
"""Blocks of rows worked on at once: their temporaries stay in cache."""


def shares_plane(layout: IndexLayout) -> bool:
    """Whether the scan codes hold one bit of each refine code, and the file is smaller for it."""
    scan, refine = layout.scan, layout.refine
    if refine is None or scan.bits != 1 or refine.dim != scan.dim or refine.bits > 4:
        return False
    return plane_bytes(refine) < refine.code_bytes


def plane_bytes(refine: Slice) -> int:
    """Bytes of a row's planes."""
    return (refine.bits - 1) * Slice(refine.dim, 1).code_bytes


def lower_planes(codes: ByteArray, refine: Slice) -> ByteArray:
    """All bits of refine codes but the highest.

    Args:
        codes: (n, refine.code_bytes) uint8.
        refine: 2 or 4 bits.

    Returns:
        (n, plane_bytes) uint8: the lowest bits of a row's code numbers, eight to a byte, the first
        coordinate in the lowest bit; then their next bits.
    """
    result = np.empty((codes.shape[0], plane_bytes(refine)), dtype=np.uint8)
    shifts = np.arange(0, 8, refine.bits, dtype=np.uint8)
    step = _BLOCKS * BLOCK_ROWS
    for start in range(0, codes.shape[0], step):
        part = codes[start : start + step]
        numbers = (part[:, :, None] >> shifts).reshape(part.shape[0], -1)[:, : refine.dim]
        planes = [
            np.packbits((numbers >> np.uint8(bit)) & np.uint8(1), axis=1, bitorder="little")
            for bit in range(refine.bits - 1)
        ]
        result[start : start + step] = np.concatenate(planes, axis=1)
    return result


def put_together(planes: ByteArray, scan: CodeBlock, refine: Slice, codes: ByteArray) -> None:
    """Refine codes from their lower planes and the scan codes of the same rows.

    Args:
        planes: (n, plane_bytes) uint8, from `lower_planes`.
        scan: n rows of 1-bit codes of the same coordinates.
        refine: 2 or 4 bits.
        codes: (n, refine.code_bytes) uint8, written to. The planes may be its last bytes: each is
            read before anything is written there.
    """
    rows, columns = codes.shape[0], scan.code_bytes
    spread = _spread(refine.bits)
    step = _BLOCKS * BLOCK_ROWS
    looked_up = np.empty((step, columns), dtype=spread.dtype)
    for start in range(0, rows, step):
        part = planes[start : start + step]
        count = part.shape[0]
        first = start // BLOCK_ROWS
        highest = scan.codes[first : first + _BLOCKS].transpose(0, 2, 1).reshape(-1, columns)
        # Without `clip`, which changes nothing here, numpy copies what it writes.
        numbers = np.take(spread, highest[:count], mode="clip")
        for bit in reversed(range(refine.bits - 1)):
            numbers <<= 1
            plane = part[:, bit * columns : (bit + 1) * columns]
            numbers |= np.take(spread, plane, out=looked_up[:count], mode="clip")
        codes[start : start + step] = numbers.view(np.uint8)[:, : refine.code_bytes]


def _spread(bits: int) -> np.ndarray[tuple[int], np.dtype[np.unsignedinteger]]:
    """(256,) What a byte becomes when there are `bits` bits from each of its bits to the next."""
    values = np.arange(256)
    moved = sum(((values >> bit) & 1) << (bit * bits) for bit in range(8))
    return np.asarray(moved, dtype="<u2" if bits == 2 else "<u4")
