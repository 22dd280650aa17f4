import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl.kernel import BLOCK_ROWS, BlockList, CodeBlock, pack, unpack


@given(st.integers(0, 200), st.integers(1, 40), st.sampled_from([1, 2, 4, 8]))
def test_there_and_back(rows, columns, bits):
    packed = np.random.default_rng(rows).integers(0, 256, (rows, columns)).astype(np.uint8)
    block = CodeBlock(pack(packed, bits), np.zeros(rows, dtype=np.uint16))
    assert block.rows == rows
    assert block.code_bytes == columns
    assert (unpack(block) == packed).all()


def test_a_block_holds_one_byte_of_64_rows_side_by_side():
    packed = np.arange(130 * 3, dtype=np.uint16).astype(np.uint8).reshape(130, 3)
    codes = pack(packed, 4)
    assert codes.shape == (3, 3, BLOCK_ROWS)
    for row in range(130):
        assert (codes[row // 64, :, row % 64] == packed[row]).all()
    assert not codes[2, :, 2:].any()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda codes, gains: (codes[:, :, :32], gains),
        lambda codes, gains: (codes[:1], gains),
        lambda codes, gains: (codes.astype(np.int16), gains),
        lambda codes, gains: (codes, gains.astype(np.int64)),
        lambda codes, gains: (codes.transpose(0, 2, 1).copy().transpose(0, 2, 1), gains),
        lambda codes, gains: (codes, np.repeat(gains, 2)[::2]),
        lambda codes, gains: (codes, gains, np.ones(3, dtype=np.bool_)),
        lambda codes, gains: (codes, gains, np.ones(70, dtype=np.uint8)),
    ],
)
def test_arrays_that_a_compiled_kernel_could_not_read_are_refused(wrong):
    codes, gains = pack(np.zeros((70, 2), dtype=np.uint8), 1), np.zeros(70, dtype=np.uint16)
    CodeBlock(codes, gains)
    with pytest.raises(ValueError):
        CodeBlock(*wrong(codes, gains))


def test_blocks_of_two_widths_are_no_list():
    blocks = [
        CodeBlock(pack(np.zeros((3, columns), dtype=np.uint8), 1), np.zeros(3, dtype=np.uint16))
        for columns in (2, 4)
    ]
    assert BlockList.of(blocks[:1]).rows == 3
    with pytest.raises(ValueError):
        BlockList.of(blocks)
