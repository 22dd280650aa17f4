"""Every kernel that runs on this machine, on the same data: scans and what goes into them give the
same integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.index.format import rotation
from edge_mrl.kernel import BlockList, CodeBlock, hadamard, pack, packer, quantizer
from edge_mrl.kernel.quantizer import IntQuery, TableQuery
from tests.kernel.every_kernel import EVERY, KERNELS, query_of, rows_of
from tests.kernel.oracle import best_by_hand, block_of, row_scores_by_hand, scores_by_hand

LENGTHS = (0, 1, 2, 31, 63, 64, 65, 127, 128, 129, 255, 256, 257, 300, 513)
WIDTHS = (1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 65, 100, 128, 256, 384, 385)


def same(kernel, query, blocks, keep):
    """A scan against sorted plain-integer scores."""
    positions, scores = best_by_hand(
        [(scores_by_hand(query, block), block.alive) for block in blocks], keep
    )
    found = kernel.scan(query, BlockList.of(blocks), keep)
    assert found.positions.tolist() == positions
    assert found.scores.tolist() == scores


@EVERY
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_scores_at_every_length(kernel, bits):
    query = query_of(48, bits, 1)
    for rows in LENGTHS:
        block = block_of(rows, 48, bits, rows)
        assert kernel.score(query, block).tolist() == scores_by_hand(query, block)
        same(kernel, query, [block], 7)


@EVERY
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_scores_at_every_width(kernel, bits):
    for dim in WIDTHS:
        query = query_of(dim, bits, dim)
        block = block_of(70, dim, bits, dim)
        assert kernel.score(query, block).tolist() == scores_by_hand(query, block)


@EVERY
@pytest.mark.parametrize(("bits", "dim"), [(4, 1100), (1, 5000), (2, 9000), (8, 3001)])
def test_sums_that_do_not_fit_sixteen_bits(kernel, bits, dim):
    columns = (dim * bits + 7) // 8
    query = (
        IntQuery(np.full(dim, -127, dtype=np.int8))
        if bits == 8
        else TableQuery(np.full((2 * columns, 16), 63, dtype=np.uint8), -12_345)
    )
    codes = np.full((66, columns), 0x80 if bits == 8 else 0xFF, dtype=np.uint8)
    block = CodeBlock(pack(codes, bits), np.full(66, 65_535, dtype=np.uint16))
    assert kernel.score(query, block).tolist() == scores_by_hand(query, block)


@EVERY
def test_the_widest_vector_fits(kernel):
    dim = 65_536
    query = IntQuery(np.full(dim, 127, dtype=np.int8))
    codes = np.stack([np.full(dim, value, dtype=np.uint8) for value in (0x7F, 0x80, 0)])
    block = CodeBlock(codes, np.full(3, 65_535, dtype=np.uint16))
    expected = [65_535 * dim * 127 * value for value in (127, -128, 0)]
    assert kernel.score(query, block).tolist() == expected
    table = TableQuery(np.full((dim, 16), 63, dtype=np.uint8), -(2**24))
    wide = CodeBlock(pack(np.zeros((2, dim // 2), dtype=np.uint8), 4), block.gains[:2].copy())
    assert kernel.score(table, wide).tolist() == [65_535 * (63 * dim - 2**24)] * 2


@settings(deadline=None, max_examples=60)
@given(
    st.data(),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(1, 40),
    st.lists(st.integers(0, 150), max_size=4),
    st.integers(1, 400),
    st.integers(0, 2**32 - 1),
)
def test_any_scan(data, bits, dim, lengths, keep, seed):
    kernel = KERNELS[data.draw(st.sampled_from(sorted(KERNELS)))]
    generator = np.random.default_rng(seed)
    blocks = []
    for number, rows in enumerate(lengths):
        alive = generator.random(rows) < 0.7 if generator.random() < 0.5 else None
        block = block_of(rows, dim, bits, seed + number)
        # Few distinct codes and gains: ties.
        small = generator.integers(0, 3, rows).astype(np.uint16)
        codes = block.codes & np.uint8(0x11) if generator.random() < 0.5 else block.codes
        gains = small if generator.random() < 0.5 else block.gains
        blocks.append(CodeBlock(codes, gains, alive))
    same(kernel, query_of(dim, bits, seed), blocks, keep)


@EVERY
@pytest.mark.parametrize("keep", [1, 10, 100, 150, 700, 5000])
@pytest.mark.parametrize("gain", [0, 1, 65_535])
def test_equal_scores_go_to_the_lower_position(kernel, keep, gain):
    rows = 3000
    query = query_of(16, 2, 1)
    codes = np.full((rows, 4), 0x5A, dtype=np.uint8)
    block = CodeBlock(pack(codes, 2), np.full(rows, gain, dtype=np.uint16))
    found = kernel.scan(query, BlockList.of([block, block]), keep)
    assert found.positions.tolist() == list(range(min(keep, 2 * rows)))


@EVERY
@pytest.mark.parametrize("keep", [1, 30, 128, 200, 1000])
@pytest.mark.parametrize("order", ["rising", "falling", "one block of the best", "random"])
def test_long_scans_in_hard_orders(kernel, keep, order):
    """Orders that mislead the sampled threshold or refill the reservoir all the time."""
    rows = 70_000
    gains = np.random.default_rng(5).integers(0, 65_536, rows).astype(np.uint16)
    if order in ("rising", "falling"):
        gains = np.sort(gains)
    if order == "falling":
        gains = gains[::-1].copy()
    if order == "one block of the best":
        gains[:] = 1
        gains[64 * 8 : 64 * 8 + 20] = 60_000
    query = TableQuery(np.full((2, 16), 7, dtype=np.uint8), -3)
    codes = pack(np.zeros((rows, 1), dtype=np.uint8), 4)
    alive = np.random.default_rng(6).random(rows) < 0.9
    block = CodeBlock(codes, gains, alive)
    expected = best_by_hand([(gains.astype(np.int64) * 11, alive)], keep)
    found = kernel.scan(query, BlockList.of([block]), keep)
    assert (found.positions.tolist(), found.scores.tolist()) == expected


@EVERY
def test_scores_below_zero_and_next_to_each_other(kernel):
    """Products beyond the 24 bits of a float32, that differ by one: exact, not nearly."""
    gains = np.arange(60_000, 65_536).astype(np.uint16)
    columns = 200
    codes = pack(np.zeros((gains.size, columns), dtype=np.uint8), 4)
    for offset in (-(2**23) - 1, 2**22 + 1):
        query = TableQuery(np.full((2 * columns, 16), 63, dtype=np.uint8), offset)
        value = 2 * columns * 63 + offset
        expected = best_by_hand([(gains.astype(np.int64) * value, None)], 300)
        found = kernel.scan(query, BlockList.of([CodeBlock(codes, gains)]), 300)
        assert (found.positions.tolist(), found.scores.tolist()) == expected


@EVERY
def test_nothing_to_find(kernel):
    query = query_of(8, 4, 1)
    dead = np.zeros(500, dtype=np.bool_)
    assert kernel.scan(query, BlockList.of([]), 3).positions.size == 0
    assert kernel.scan(query, BlockList.of([block_of(0, 8, 4, 1)]), 3).positions.size == 0
    only_dead = block_of(500, 8, 4, 1, alive=dead)
    assert kernel.scan(query, BlockList.of([only_dead]), 300).positions.size == 0
    dead[499] = True
    found = kernel.scan(query, BlockList.of([block_of(500, 8, 4, 1, alive=dead)]), 300)
    assert found.positions.tolist() == [499]


@EVERY
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@settings(deadline=None, max_examples=40)
@given(values=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=70))
def test_queries_become_the_same_integers(kernel, bits, values):
    query = np.array(values, dtype=np.float32)
    expected, found = quantizer.prepare(query, bits), kernel.prepare(query, bits)
    if isinstance(expected, TableQuery):
        assert (found.entries == expected.entries).all()
        assert found.offset == expected.offset
    else:
        assert (found.weights == expected.weights).all()


@EVERY
@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("dim", [1, 2, 7, 64, 100, 256, 384])
def test_vectors_become_the_same_codes(kernel, bits, dim):
    rows = np.random.default_rng(dim).integers(-127, 128, (300, dim + 3)).astype(np.int8)
    rows[5] = 0
    rows[6, :dim] = 0
    expected = packer.pack_rows(rows, dim, bits, rotation.turns(dim))
    found = kernel.pack_rows(rows, dim, bits, rotation.turns(dim))
    assert (found[0] == expected[0]).all()
    assert found[1].tobytes() == expected[1].tobytes()
    assert found[1][5] == found[1][6] == 0 < found[1][7]
    assert kernel.pack_rows(rows[:0], dim, bits, rotation.turns(dim))[0].shape[0] == 0


@EVERY
def test_every_row_can_be_looked_at_again(kernel):
    for bits in (1, 2, 4):
        block = rows_of(130, 100, bits, bits)
        values = np.random.default_rng(bits).normal(size=100).astype(np.float32)
        query = quantizer.prepare_rows(values, bits)
        assert kernel.score(query, block).tolist() == row_scores_by_hand(query, block)
        with pytest.raises(ValueError):
            kernel.score(query, rows_of(10, 300, bits, 1))


@EVERY
@pytest.mark.parametrize("size", [1, 2, 8, 64, 256, 1024])
def test_a_turn_gives_the_same_bits(kernel, size):
    generator = np.random.default_rng(size)
    values = generator.normal(size=size).astype(np.float32)
    signs = generator.choice(np.array([-1, 1], dtype=np.float32), size)
    before = values.copy()
    found = kernel.turn(values, signs)
    assert found.tobytes() == hadamard.turn(values[:, None], signs)[:, 0].tobytes()
    assert (values == before).all()


@EVERY
def test_codes_of_another_width_are_refused(kernel):
    block = block_of(10, 16, 4, 1)
    for query in (query_of(24, 4, 1), query_of(8, 8, 1)):
        with pytest.raises(ValueError):
            kernel.scan(query, BlockList.of([block]), 1)
        with pytest.raises(ValueError):
            kernel.score(query, block)
