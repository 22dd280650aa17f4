"""The kernels of this machine, and data for all of them."""

import numpy as np
import pytest

from edge_mrl.kernel import CodeBlock, available, quantizer, unpack
from tests.kernel.oracle import block_of

KERNELS = available()
EVERY = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)


def query_of(dim, bits, seed):
    return quantizer.prepare(np.random.default_rng(seed).normal(size=dim).astype(np.float32), bits)


def rows_of(rows, dim, bits, seed, alive=None):
    """A block of random codes that stand row after row."""
    block = block_of(rows, dim, bits, seed, alive=alive)
    return CodeBlock(unpack(block).copy(), block.gains, alive)
