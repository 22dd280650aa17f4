"""Every kernel on the same data: scores of some rows, the same integers."""

import numpy as np
import pytest

from edge_mrl.kernel import BlockList, CodeBlock, quantizer
from edge_mrl.kernel.quantizer import PackedQuery
from tests.kernel.every_kernel import EVERY, query_of, rows_of
from tests.kernel.oracle import block_of, row_scores_by_hand


@EVERY
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("dim", [1, 15, 64, 100, 256, 385])
def test_a_second_look_at_some_rows(kernel, bits, dim):
    lengths = (0, 500, 64, 0, 336, 0)
    blocks = [rows_of(rows, dim, bits, dim + number) for number, rows in enumerate(lengths)]
    query = quantizer.prepare_rows(
        np.random.default_rng(dim).normal(size=dim).astype(np.float32), bits
    )
    scores = [score for block in blocks for score in row_scores_by_hand(query, block)]
    positions = np.random.default_rng(dim).permutation(900)[:700]
    for size in (0, 1, 3, 64, 700):
        for keep in (1, 10, 200, 1000):
            asked = positions[:size].tolist()
            expected = sorted(asked, key=lambda row: (-scores[row], row))[:keep]
            found = kernel.rescore(query, BlockList.of(blocks), positions[:size], keep)
            assert found.positions.tolist() == expected
            assert found.scores.tolist() == [scores[row] for row in expected]


@EVERY
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_the_largest_products_of_a_row(kernel, bits):
    """All weights and levels at their ends, in every width up to past a vector."""
    for columns in (1, 15, 16, 17, 31, 33, 64, 65, 130):
        for code in (0x00, 0xFF):
            weights = np.zeros((8 // bits, -(-columns // 64) * 64), dtype=np.int8)
            weights[:, :columns] = 127
            query = PackedQuery(weights, columns, bits)
            block = CodeBlock(
                np.full((2, columns), code, dtype=np.uint8), np.full(2, 65_535, dtype=np.uint16)
            )
            for sign in (1, -1):
                weights *= np.int8(sign)
                expected = row_scores_by_hand(query, block)
                found = kernel.rescore(query, BlockList.of([block]), np.arange(2), 2)
                assert found.scores.tolist() == expected


@EVERY
def test_equal_scores_of_a_second_look_go_to_the_lower_row(kernel):
    codes, gains = np.full((50, 8), 3, dtype=np.uint8), np.full(50, 9, dtype=np.uint16)
    query = query_of(8, 8, 1)
    found = kernel.rescore(query, BlockList.of([CodeBlock(codes, gains)]), np.arange(49, -1, -1), 7)
    assert found.positions.tolist() == list(range(7))


@EVERY
def test_rows_that_are_not_there_are_not_looked_at(kernel):
    query = query_of(8, 8, 1)
    block = block_of(10, 8, 8, 1)
    for blocks, position in (
        ([block], 10),
        ([block], -1),
        ([block, block], 20),
        ([], 0),
        ([block_of(10, 16, 8, 1)], 0),
        ([block_of(10, 16, 4, 1)], 0),
    ):
        with pytest.raises(ValueError):
            kernel.rescore(query, BlockList.of(blocks), np.array([position]), 1)
