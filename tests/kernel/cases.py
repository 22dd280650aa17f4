"""Writes cases for harness.c: what to scan, and what numpy, the definition, answers.

``python -m tests.kernel.cases FILE [COUNT]``. The file is a row of int64 (little-endian) and
arrays: the number of cases, then each case by its kind:

- 0, a scan: is_table, columns, offset, entries or weights; number of blocks, each: rows, bytes of
  codes, codes, gains, has_mask, mask; keep; number found, positions, scores
- 1, a query: bits, dim, float32 query, float32 levels; bytes of integers, offset, integers, factor
- 2, a turn: size, float32 values, signs, factor, result
- 3, a search: width, float32 query; number of stages, each: dim, bits, columns; number of turns,
  each: start, size, float64 factor, float32 signs; bytes of levels, levels; blocks as above; keep;
  after all stages: bytes of scratch, number found, positions, scores, factor
- 4, codes of vectors: rows, width, dim, bits; int8 vectors, float64 lengths, float32 thresholds,
  levels and root; turns as above; bytes of codes, codes, float32 scales
- 5, sums of lists: number of lists, each: number of rows, their lower 16 bits, scores, spans,
  starts; rows; has_mask, mask; every; keep; number found, sums (float64), positions
- 6, rows with a checksum: dim, rows, how many are sound before the first that is not; row numbers,
  records, float32 query, uint32 tables, products and squares of those
- 7, codes from planes: rows, columns, bits, bytes of codes; planes, scan codes, codes
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from edge_mrl.index.format import rotation
from edge_mrl.kernel import (
    BlockList,
    CodeBlock,
    Stage,
    StageList,
    bit_planes,
    checked_rows,
    hadamard,
    packer,
    quantizer,
    reference,
    score_lists,
    unpack,
)
from edge_mrl.kernel.quantizer import LEVELS, THRESHOLDS, WHOLE_LEVELS, TableQuery
from tests.kernel.oracle import block_of, row_record

LENGTHS = (0, 1, 5, 63, 64, 65, 127, 128, 200, 255, 256, 257, 1000)
WIDTHS = (1, 3, 7, 8, 16, 17, 33, 64, 65, 96, 128, 256, 385)


def _numbers(*values: int) -> bytes:
    return np.array(values, dtype="<i8").tobytes()


def _blocks(blocks):
    parts = [_numbers(len(blocks))]
    for block in blocks:
        parts += [_numbers(block.rows, block.codes.nbytes), block.codes.tobytes()]
        parts += [block.gains.tobytes(), _numbers(block.alive is not None)]
        parts.append(b"" if block.alive is None else block.alive.tobytes())
    return b"".join(parts)


def _scan(generator, case):
    bits = (1, 2, 4, 8)[case % 4]
    dim = 4500 if case % 29 == 0 else int(generator.choice(WIDTHS))
    query = quantizer.prepare(generator.normal(size=dim).astype(np.float32), bits)
    blocks = []
    for _ in range(int(generator.integers(0, 4))):
        rows = int(generator.choice(LENGTHS))
        alive = generator.random(rows) < 0.8 if generator.random() < 0.5 else None
        blocks.append(block_of(rows, dim, bits, int(generator.integers(2**31)), alive=alive))
    if case % 31 == 0:  # long enough for the sampled threshold
        blocks.append(block_of(20_000, dim, bits, case))
    keep = int(generator.choice((1, 2, 10, 64, 150, 400, 5000)))
    found = reference.scan(query, BlockList.of(blocks), keep)
    is_table = isinstance(query, TableQuery)
    columns = (dim * bits + 7) // 8
    parts = [_numbers(0, is_table, columns, query.offset if is_table else 0)]
    parts.append((query.entries if is_table else query.weights).tobytes())
    parts.append(_blocks(blocks))
    parts += [_numbers(keep, found.positions.size)]
    return b"".join([*parts, found.positions.tobytes(), found.scores.tobytes()])


def _query(generator, case):
    bits = (1, 2, 4, 8)[case % 4]
    values = generator.normal(size=int(generator.choice(WIDTHS))).astype(np.float32)
    if case % 11 == 0:
        values[:] = 0
    query = quantizer.prepare(values, bits)
    is_table = isinstance(query, TableQuery)
    integers = query.entries if is_table else query.weights
    levels = LEVELS[bits] if is_table else np.zeros(1, dtype=np.float32)
    head = _numbers(1, bits, values.size) + values.tobytes() + levels.tobytes()
    parts = [head, _numbers(integers.nbytes, query.offset if is_table else 0), integers.tobytes()]
    return b"".join(parts) + np.float64(query.factor).tobytes()


def _turn(generator, case):
    size = 1 << (case % 11)
    values = generator.normal(size=size).astype(np.float32)
    signs = generator.choice(np.array([-1, 1], dtype=np.float32), size)
    arrays = (values, signs, hadamard.factor(size), hadamard.turn(values[:, None], signs))
    return _numbers(2, size) + b"".join(array.tobytes() for array in arrays)


def _turns(turns):
    parts = [_numbers(len(turns))]
    for turn in turns:
        size = turn.stop - turn.start
        factor = np.array([hadamard.factor(size)], dtype=np.float64)
        parts += [_numbers(turn.start, size), factor.tobytes(), turn.signs.tobytes()]
    return b"".join(parts)


def _codes(generator, case):
    bits, dim = (1, 2, 4)[case % 3], int(generator.choice(WIDTHS))
    rows = generator.integers(-127, 128, (case % 5, dim + case % 3)).astype(np.int8)
    if case % 4 == 0:
        rows[:1] = 0
    turns = rotation.turns(dim)
    packed, scales = packer.pack_rows(rows, dim, bits, turns)
    parts = [_numbers(*rows.shape, dim, bits), rows.tobytes()]
    parts += [packer.lengths(rows[:, :dim]).tobytes(), THRESHOLDS[bits].tobytes()]
    parts += [LEVELS[bits].tobytes(), np.float32(np.sqrt(dim)).tobytes(), _turns(turns)]
    return _numbers(4) + b"".join(
        [*parts, _numbers(packed.nbytes), packed.tobytes(), scales.tobytes()]
    )


def _lists(generator, case):
    rows = (*LENGTHS, 70_000)[case % (len(LENGTHS) + 1)]
    lists = []
    for _ in range(case % 5):
        held = np.flatnonzero(generator.random(rows) < generator.choice((0.01, 0.5, 1)))
        # Few different scores: equal sums.
        scores = generator.integers(1, 9, held.size) / 8
        lists.append(score_lists.ScoreList.of(held, scores))
    allowed = generator.random(rows) < 0.7 if case % 3 == 0 else None
    keep, every = int(generator.choice((1, 10, 150))), case % 4 == 0
    found = score_lists.best_rows(lists, rows, keep, allowed, every)
    parts = [_numbers(5, len(lists))]
    for one in lists:
        parts += [_numbers(one.rows.size), one.rows.tobytes(), one.scores.tobytes()]
        parts += [_numbers(one.starts.size - 1), one.starts.tobytes()]
    parts += [_numbers(rows, allowed is not None), b"" if allowed is None else allowed.tobytes()]
    parts.append(_numbers(every, keep, found.rows.size))
    return b"".join([*parts, found.sums.tobytes(), found.rows.tobytes()])


def _search(generator, case):
    lengths = [int(generator.choice(LENGTHS)) for _ in range(int(generator.integers(1, 4)))]
    if case % 31 == 0:
        lengths.append(20_000)
    stages = []
    for number in range(int(generator.integers(1, 4))):
        bits, dim = (1, 2, 4, 8)[int(generator.integers(4))], int(generator.choice(WIDTHS))
        blocks = []
        for rows in lengths:
            block = block_of(rows, dim, bits, int(generator.integers(2**31)))
            alive = generator.random(rows) < 0.8 if number == 0 else None
            codes = block.codes if number == 0 else unpack(block).copy()
            blocks.append(CodeBlock(codes, block.gains, alive))
        turns = () if bits == 8 else rotation.turns(dim)
        stages.append(Stage(dim, bits, turns, BlockList.of(blocks)))
    listed = StageList.of(stages)
    keeps = [int(generator.choice((1, 10, 64, 150, 2500))) for _ in stages]
    query = generator.normal(size=max(WIDTHS)).astype(np.float32)
    found = reference.search(query, listed, keeps)
    parts = [_numbers(3, query.size), query.tobytes(), _numbers(len(stages))]
    for stage, keep in zip(stages, keeps, strict=True):
        parts.append(_numbers(stage.dim, stage.bits, (stage.dim * stage.bits + 7) // 8))
        parts.append(_turns(stage.turns))
        by_bits = LEVELS if stage is stages[0] else WHOLE_LEVELS
        levels = by_bits[stage.bits].tobytes() if stage.bits < 8 else b""
        parts += [_numbers(len(levels)), levels, _blocks(stage.blocks.blocks), _numbers(keep)]
    parts.append(_numbers(listed.scratch, found.positions.size))
    parts += [found.positions.tobytes(), found.scores.tobytes()]
    return b"".join([*parts, np.float64(found.factor).tobytes()])


def _checked(generator, case):
    dim, count = int(generator.choice((*WIDTHS, 3000))), case % 6
    codes = generator.integers(-128, 128, (count, dim)).astype(np.int8)
    rows = generator.integers(0, 2**62, count)
    records = [row_record(row, values) for row, values in zip(rows.tolist(), codes, strict=True)]
    sound = count
    if case % 5 == 0 and count:
        sound = int(generator.integers(count))
        spoilt = bytearray(records[sound])
        spoilt[int(generator.integers(len(spoilt)))] ^= 1 << case % 8
        records[sound] = bytes(spoilt)
    query = generator.normal(size=dim).astype(np.float32)
    query /= np.abs(query).max()
    found = checked_rows.row_products(b"".join(records[:sound]), rows[:sound], query)
    parts = [_numbers(6, dim, count, sound), rows.tobytes(), *records, query.tobytes()]
    parts += [checked_rows.crc_tables().tobytes()]
    return b"".join([*parts, found.products.tobytes(), found.squares.tobytes()])


def _planes(generator, case):
    bits, dim = (2, 4)[case % 2], int(generator.choice(WIDTHS))
    rows, columns = int(generator.choice(LENGTHS[:9])), (dim + 7) // 8
    scan = block_of(rows, dim, 1, case)
    planes = generator.integers(0, 256, (rows, (bits - 1) * columns), dtype=np.uint8)
    codes = np.empty((rows, (dim * bits + 7) // 8), dtype=np.uint8)
    bit_planes.join_planes(planes, scan, bits, codes)
    parts = [_numbers(7, rows, columns, bits, codes.shape[1]), planes.tobytes()]
    parts += [scan.codes.tobytes(), codes.tobytes()]
    return b"".join(parts)


def _picked(generator, case):
    dim, rows = int(generator.choice((*WIDTHS, 3000))), 1 + case % 40
    table = generator.integers(-128, 128, (rows, dim)).astype(np.int8)
    places = generator.integers(0, rows, case % 7)
    query = generator.normal(size=dim).astype(np.float32)
    query /= np.abs(query).max()
    products = checked_rows.picked_products(table, places, query).tobytes()
    fits = case % 5 > 0 or not places.size
    if not fits:
        places[-1], products = (rows, -1)[case % 2], b""
    parts = [_numbers(8, rows, dim, places.size, fits), table.tobytes(), places.tobytes()]
    return b"".join([*parts, query.tobytes(), products])


def write(path: Path, count: int) -> None:
    """Write cases, the same ones at every call."""
    generator = np.random.default_rng(20)
    made = []
    for case in range(count):
        makes = (
            *(_scan, _scan, _query, _turn, _search, _search),
            *(_codes, _lists, _checked, _planes, _picked),
        )
        make = makes[int(generator.integers(len(makes)))]
        made.append(make(generator, case))
    path.write_bytes(_numbers(count) + b"".join(made))


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 400)
