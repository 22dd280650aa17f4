"""Every kernel on the same data: funnels in one call, many queries, threads; the same integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.index.format import rotation
from edge_mrl.kernel import BlockList, CodeBlock, Stage, StageList, Turn, quantizer, reference
from edge_mrl.kernel.stages import turned
from tests.kernel.every_kernel import EVERY, KERNELS, rows_of
from tests.kernel.oracle import block_of, row_scores_by_hand, scores_by_hand


def stages_of(dims, bits, lengths, seed, alive=None):
    """Random stages; only the first one has a mask."""
    made = []
    for number, (dim, some_bits) in enumerate(zip(dims, bits, strict=True)):
        make = block_of if number == 0 else rows_of
        blocks = [
            make(rows, dim, some_bits, seed + 100 * number + place)
            for place, rows in enumerate(lengths)
        ]
        if number == 0 and alive is not None:
            blocks = [CodeBlock(b.codes, b.gains, a) for b, a in zip(blocks, alive, strict=True)]
        turns = () if some_bits == 8 else rotation.turns(dim)
        made.append(Stage(dim, some_bits, turns, BlockList.of(blocks)))
    return StageList.of(made)


@settings(deadline=None, max_examples=60)
@given(
    st.data(),
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from([1, 2, 4, 8])), min_size=1, max_size=3),
    st.lists(st.integers(0, 300), max_size=4),
    st.integers(0, 2**20),
)
def test_any_search(data, slices, lengths, seed):
    """Against plain sorting, stage after stage."""
    kernel = KERNELS[data.draw(st.sampled_from(sorted(KERNELS)))]
    generator = np.random.default_rng(seed)
    keeps = [data.draw(st.integers(1, 200)) for _ in slices]
    alive = [generator.random(rows) < 0.7 for rows in lengths]
    listed = stages_of(*zip(*slices, strict=True), lengths, seed, alive)
    query = generator.normal(size=48).astype(np.float32)
    living = np.flatnonzero(np.concatenate([*alive, np.zeros(0, dtype=np.bool_)])).tolist()
    for stage, keep in zip(listed.stages, keeps, strict=True):
        values = turned(query[: stage.dim, None], stage.turns)[:, 0]
        if stage is listed.stages[0]:
            prepared = quantizer.prepare(values, stage.bits)
            by_hand = scores_by_hand
        else:
            prepared = quantizer.prepare_rows(values, stage.bits)
            by_hand = row_scores_by_hand
        scores = [score for block in stage.blocks.blocks for score in by_hand(prepared, block)]
        ranked = sorted(living, key=lambda row: (-scores[row], row))[:keep]
        living = sorted(ranked)
    found = kernel.search(query, listed, keeps)
    assert found.positions.tolist() == ranked
    assert found.scores.tolist() == [scores[row] for row in ranked]


@EVERY
def test_a_long_search_twice(kernel):
    """The second search uses the memory of the first."""
    listed = stages_of((64, 128), (1, 2), (65_536, 9000), 3)
    generator = np.random.default_rng(4)
    for _ in range(2):
        query = generator.normal(size=128).astype(np.float32)
        expected = reference.search(query, listed, (2500, 40))
        found = kernel.search(query, listed, (2500, 40))
        assert found.positions.tolist() == expected.positions.tolist()
        assert found.scores.tolist() == expected.scores.tolist()


def test_stages_that_do_not_fit_are_refused():
    turns = rotation.turns(16)
    rows, blocks = rows_of(10, 16, 2, 1), block_of(10, 16, 2, 1)
    good = Stage(16, 2, turns, BlockList.of([blocks]))
    for stages in (
        [],
        [Stage(16, 2, turns, BlockList.of([rows]))],
        [Stage(20, 2, turns, BlockList.of([blocks]))],
        [good, Stage(16, 2, turns, BlockList.of([blocks]))],
        [good, Stage(16, 2, turns, BlockList.of([rows_of(9, 16, 2, 1)]))],
        [Stage(16, 2, (Turn(1, 17, turns[0].signs),), BlockList.of([blocks]))],
        [Stage(16, 2, (Turn(0, 8, turns[0].signs),), BlockList.of([blocks]))],
    ):
        with pytest.raises(ValueError):
            StageList.of(stages)


@EVERY
def test_searches_that_do_not_fit_are_refused(kernel):
    listed = stages_of((8,), (4,), (10,), 1)
    for query, keeps in ((np.zeros(7), (1,)), (np.zeros(8), (1, 1)), (np.zeros((8, 1)), (1,))):
        with pytest.raises(ValueError):
            kernel.search(query.astype(np.float32), listed, keeps)


@EVERY
@pytest.mark.parametrize("threads", [1, 3, 200])
def test_many_searches_are_single_ones(kernel, threads):
    listed = stages_of((32, 64), (1, 4), (900, 0, 333), 8)
    queries = np.random.default_rng(9).normal(size=(70, 64)).astype(np.float32)
    found = kernel.search_many(queries, listed, (80, 12), threads)
    assert len(found) == 70
    for query, many in zip(queries, found, strict=True):
        single = kernel.search(query, listed, (80, 12))
        assert many.positions.tolist() == single.positions.tolist()
        assert many.scores.tolist() == single.scores.tolist()
    assert kernel.search_many(queries[:0], listed, (80, 12), threads) == []


@EVERY
@pytest.mark.parametrize("threads", [2, 5])
def test_a_scan_shared_by_threads_finds_the_same(kernel, threads, monkeypatch):
    monkeypatch.setattr("edge_mrl.kernel.native.LEAST_SHARED_ROWS", 1)
    generator = np.random.default_rng(11)
    lengths = (8192, 0, 20_000, 8191, 70)
    alive = [generator.random(rows) < 0.9 for rows in lengths]
    for dims, bits, keeps in (((32, 64), (1, 2), (300, 40)), ((16,), (8,), (25,))):
        listed = stages_of(dims, bits, lengths, 12, alive)
        for _ in range(4):
            query = generator.normal(size=64).astype(np.float32)
            single = kernel.search(query, listed, keeps)
            shared = kernel.search(query, listed, keeps, threads)
            assert shared.positions.tolist() == single.positions.tolist()
            assert shared.scores.tolist() == single.scores.tolist()
    nothing = stages_of((16,), (2,), (), 1)
    assert kernel.search(query, nothing, (5,), threads).positions.size == 0
