"""Refine codes as bit planes, without the one that 1-bit scan codes hold already. Pure arrays.

The highest bit of a 2- or 4-bit code number says that the rotated coordinate is not below 0, and so
does a 1-bit code. Where scan and refine codes are of the same coordinates, a file keeps it once;
see `IndexLayout.shares_plane`.
"""

from __future__ import annotations

import numpy as np

from edge_mrl.index.format.codes import ByteArray
from edge_mrl.kernel import BLOCK_ROWS
from edge_mrl.slices import Slice

_BLOCKS = 16
"""Blocks of rows worked on at once: their temporaries stay in cache."""


def lower_planes(codes: ByteArray, refine: Slice) -> ByteArray:
    """All bits of refine codes but the highest.

    Args:
        codes: (n, refine.code_bytes) uint8.
        refine: 2 or 4 bits.

    Returns:
        (n, planes x bytes of each) uint8: the lowest bits of a row's code numbers, eight to a byte,
        the first coordinate in the lowest bit; then their next bits.
    """
    bits, columns = refine.bits, Slice(refine.dim, 1).code_bytes
    result = np.empty((codes.shape[0], (bits - 1) * columns), dtype=np.uint8)
    gathered = _gather(bits)
    step = _BLOCKS * BLOCK_ROWS
    whole = np.zeros((step, columns, bits), dtype=np.uint8)
    for start in range(0, codes.shape[0], step):
        part = codes[start : start + step]
        whole.reshape(step, -1)[: part.shape[0], : part.shape[1]] = part
        for plane in range(bits - 1):
            found = gathered[plane][whole[: part.shape[0]]]
            out = result[start : start + step, plane * columns : (plane + 1) * columns]
            out[:] = found[:, :, 0]
            for place in range(1, bits):
                out |= found[:, :, place] << np.uint8(place * (8 // bits))
    return result


def _gather(bits: int) -> ByteArray:
    """(bits - 1, 256) The bits of one plane in a byte of codes, moved together."""
    values = np.arange(256)
    planes = [
        sum(((values >> (place * bits + plane)) & 1) << place for place in range(8 // bits))
        for plane in range(bits - 1)
    ]
    return np.array(planes, dtype=np.uint8)
