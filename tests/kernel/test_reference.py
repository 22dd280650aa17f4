import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.kernel import CodeBlock, pack, top_positions
from edge_mrl.kernel.blocks import BlockList
from edge_mrl.kernel.quantizer import prepare
from edge_mrl.kernel.reference import scan, score
from tests.kernel.oracle import block_of, scores_by_hand


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([1, 2, 4, 8]),
    st.integers(1, 70),
    st.integers(0, 40),
    st.integers(0, 2**32 - 1),
)
def test_scores_equal_plain_integers(bits, dim, rows, seed):
    query = prepare(np.random.default_rng(seed).standard_normal(dim).astype(np.float32), bits)
    block = block_of(rows, dim, bits, seed)
    assert score(query, block).tolist() == scores_by_hand(query, block)


@pytest.mark.parametrize(("bits", "dim"), [(4, 600), (8, 3000), (1, 2000)])
def test_wide_rows_do_not_overflow(bits, dim):
    query = prepare(np.ones(dim, dtype=np.float32), bits)
    columns = (dim * bits + 7) // 8
    codes = np.full((3, columns), 0x80 if bits == 8 else 0xFF, dtype=np.uint8)
    block = CodeBlock(pack(codes, bits), np.full(3, 65_535, dtype=np.uint16))
    assert score(query, block).tolist() == scores_by_hand(query, block)


def test_more_rows_than_a_chunk():
    query = prepare(np.random.default_rng(1).standard_normal(16).astype(np.float32), 2)
    block = block_of(40_001, 16, 2, 1)
    whole = score(query, block)
    for start, stop in ((0, 16_384), (16_384, 32_768), (32_768, 40_001)):
        part = CodeBlock(block.codes[start // 64 : -(-stop // 64)], block.gains[start:stop])
        assert (score(query, part) == whole[start:stop]).all()


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.lists(st.integers(0, 3), max_size=30), min_size=0, max_size=5),
    st.integers(1, 50),
    st.integers(0, 2**16),
)
def test_scan_equals_sorting_everything(gains_by_block, keep, seed):
    # Few distinct gains over equal codes: ties everywhere.
    query = prepare(np.array([1.0, 0.5], dtype=np.float32), 4)
    generator = np.random.default_rng(seed)
    blocks, everything, offset = [], [], 0
    for gains in gains_by_block:
        size = len(gains)
        alive = generator.random(size) < 0.7 if generator.random() < 0.6 else None
        codes = np.full((size, 1), 0xFF, dtype=np.uint8)
        block = CodeBlock(pack(codes, 4), np.array(gains, dtype=np.uint16), alive)
        blocks.append(block)
        for position, value in enumerate(score(query, block).tolist()):
            if alive is None or alive[position]:
                everything.append((-value, offset + position))
        offset += size
    expected = sorted(everything)[:keep]
    found = scan(query, BlockList.of(blocks), keep)
    assert found.positions.tolist() == [position for _, position in expected]
    assert found.scores.tolist() == [-negative for negative, _ in expected]


@given(st.lists(st.integers(-3, 3), max_size=40), st.integers(1, 45))
def test_top_positions_equal_a_stable_sort(values, keep):
    scores = np.array(values, dtype=np.int64)
    expected = sorted(sorted(range(len(values)), key=lambda i: (-values[i], i))[:keep])
    assert top_positions(scores, keep).tolist() == expected


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([2, 30, 10**6]))
def test_top_positions_of_many_equal_a_stable_sort(seed, keep, values):
    scores = np.random.default_rng(seed).integers(0, values, 700)
    for given_ in (scores, np.sort(scores), -np.sort(-scores), scores.astype(np.float32)):
        expected = np.sort(np.argsort(-given_, kind="stable")[:keep])
        assert (top_positions(given_, keep) == expected).all()


def test_dead_rows_never_appear():
    query = prepare(np.ones(4, dtype=np.float32), 1)
    block = block_of(100, 4, 1, 5, alive=np.zeros(100, dtype=np.bool_))
    assert scan(query, BlockList.of([block]), 10).positions.size == 0
