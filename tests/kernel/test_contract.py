"""Every kernel that runs on this machine, on the same data: the same integers."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.index.format import rotation
from edge_mrl.kernel import (
    BlockList,
    CodeBlock,
    Stage,
    StageList,
    Turn,
    available,
    bit_planes,
    checked_rows,
    hadamard,
    pack,
    packer,
    quantizer,
    reference,
    unpack,
)
from edge_mrl.kernel.quantizer import IntQuery, PackedQuery, TableQuery
from edge_mrl.kernel.stages import turned
from tests.kernel.oracle import (
    best_by_hand,
    block_of,
    row_record,
    row_scores_by_hand,
    scores_by_hand,
)

KERNELS = available()
EVERY = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
LENGTHS = (0, 1, 2, 31, 63, 64, 65, 127, 128, 129, 255, 256, 257, 300, 513)
WIDTHS = (1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 65, 100, 128, 256, 384, 385)


def query_of(dim, bits, seed):
    return quantizer.prepare(np.random.default_rng(seed).normal(size=dim).astype(np.float32), bits)


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


def rows_of(rows, dim, bits, seed, alive=None):
    """A block of random codes that stand row after row."""
    block = block_of(rows, dim, bits, seed, alive=alive)
    return CodeBlock(unpack(block).copy(), block.gains, alive)


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


@EVERY
@pytest.mark.parametrize("dim", [1, 7, 8, 9, 64, 255, 384, 1500, 65_536])
def test_products_of_checked_rows(kernel, dim):
    generator = np.random.default_rng(dim)
    codes = generator.integers(-128, 128, (5, dim)).astype(np.int8)
    codes[0], codes[1] = -128, 0
    query = generator.uniform(-1, 1, dim).astype(np.float32)
    query[0] = 1
    rows = np.array([1, 2, 300, 2**40, 2**62])
    records = b"".join(row_record(*one) for one in zip(rows.tolist(), codes, strict=True))
    found = kernel.row_products(records, rows, query)
    # Halves to even, as Python's round does.
    whole = [round(value * 2**24) for value in query.astype(np.float64).tolist()]
    for number, row in enumerate(codes.tolist()):
        product = sum(a * b for a, b in zip(row, whole, strict=True))
        assert found.products[number] == product
        assert found.squares[number] == sum(a * a for a in row)


@EVERY
def test_a_row_that_is_not_as_its_checksum_says_is_noticed(kernel):
    generator = np.random.default_rng(3)
    codes = generator.integers(-127, 128, (4, 20)).astype(np.int8)
    rows, query = np.arange(1, 5), np.full(20, 0.1, dtype=np.float32)
    records = b"".join(row_record(*one) for one in zip(rows.tolist(), codes, strict=True))
    assert kernel.row_products(records, rows, query) is not None
    assert kernel.row_products(records, rows + 1, query) is None
    for place in range(len(records)):
        spoilt = bytearray(records)
        spoilt[place] ^= 1 << place % 8
        assert kernel.row_products(bytes(spoilt), rows, query) is None
    assert kernel.row_products(b"", rows[:0], query).products.size == 0
    with pytest.raises(ValueError, match="not 3 records of 24"):
        kernel.row_products(records, rows[:3], query)


@EVERY
@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("dim", [1, 8, 12, 15, 64, 100, 256])
def test_codes_from_their_planes(kernel, bits, dim):
    generator = np.random.default_rng(dim)
    columns = (dim + 7) // 8
    for rows in (0, 1, 63, 64, 65, 1100):
        numbers = generator.integers(0, 1 << bits, (rows, 8 * columns))
        numbers[:, dim:] = 0
        packed = [
            np.packbits((numbers >> bit & 1).astype(np.uint8), axis=1, bitorder="little")
            for bit in range(bits)
        ]
        scan = CodeBlock(pack(packed[-1], 1), np.ones(rows, dtype=np.uint16))
        planes = np.concatenate(packed[:-1], axis=1)
        per_byte = 8 // bits
        spread = numbers.reshape(rows, bits * columns, per_byte) << np.arange(per_byte) * bits
        expected = spread.sum(axis=2).astype(np.uint8)[:, : (dim * bits + 7) // 8]
        # The planes stand at the end of the room that the codes take.
        room = np.zeros(rows * max(expected.shape[1], planes.shape[1]), dtype=np.uint8)
        lower = room[room.size - planes.size :].reshape(planes.shape)
        lower[:] = planes
        codes = room[: expected.size].reshape(expected.shape)
        kernel.join_planes(lower, scan, bits, codes)
        assert (codes == expected).all()


def test_planes_that_do_not_fit_are_refused():
    scan = CodeBlock(pack(np.zeros((3, 2), dtype=np.uint8), 1), np.ones(3, dtype=np.uint16))
    planes, codes = np.zeros((3, 2), dtype=np.uint8), np.zeros((3, 4), dtype=np.uint8)
    bit_planes.check_planes(planes, scan, 2, codes)
    for wrong in ((planes[:2], codes), (planes, codes[:2]), (planes, codes[:, :2].copy())):
        with pytest.raises(ValueError, match="do not fit codes"):
            bit_planes.check_planes(wrong[0], scan, 2, wrong[1])


def test_the_tables_are_those_of_crc_32():
    tables = checked_rows.crc_tables()
    for byte in range(256):
        crc = int(tables[0][0xFF ^ byte]) ^ 0xFFFFFFFF >> 8
        assert crc ^ 0xFFFFFFFF == zlib.crc32(bytes([byte]))
