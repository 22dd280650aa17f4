"""What a scan must answer, in plain Python integers, and blocks to ask about."""

import zlib

import numpy as np

from edge_mrl.kernel import CodeBlock, pack, unpack
from edge_mrl.kernel.quantizer import WHOLE_LEVELS, PackedQuery, TableQuery


def scores_by_hand(query, block):
    """Every row's score, from the definition."""
    result = []
    for row, gain in zip(unpack(block).tolist(), block.gains.tolist(), strict=True):
        if isinstance(query, TableQuery):
            value = query.offset
            for column, byte in enumerate(row):
                value += int(query.entries[2 * column, byte & 15])
                value += int(query.entries[2 * column + 1, byte >> 4])
        else:
            signed = (byte - 256 if byte > 127 else byte for byte in row)
            value = sum(w * c for w, c in zip(query.weights.tolist(), signed, strict=True))
        result.append(value * gain)
    return result


def row_scores_by_hand(query, block):
    """The same for codes that stand row after row."""
    if not isinstance(query, PackedQuery):
        return scores_by_hand(query, block)
    levels = WHOLE_LEVELS[query.bits].tolist()
    weights = query.weights.tolist()
    result = []
    for row, gain in zip(block.codes.tolist(), block.gains.tolist(), strict=True):
        value = 0
        for column, byte in enumerate(row):
            for place in range(8 // query.bits):
                code = byte >> (place * query.bits) & ((1 << query.bits) - 1)
                value += weights[place][column] * levels[code]
        result.append(value * gain)
    return result


def best_by_hand(scored, keep):
    """The best of [(scores, alive or None), ...]: (positions, scores)."""
    listed, position = [], 0
    for scores, alive in scored:
        for number, score in enumerate(scores):
            if alive is None or alive[number]:
                listed.append((-int(score), position + number))
        position += len(scores)
    best = sorted(listed)[:keep]
    return [position for _, position in best], [-negative for negative, _ in best]


def block_of(rows, dim, bits, seed, *, alive=None):
    """A block of random codes and gains."""
    generator = np.random.default_rng(seed)
    columns = (dim * bits + 7) // 8
    codes = generator.integers(0, 256, (rows, columns)).astype(np.uint8)
    gains = generator.integers(0, 65_536, rows).astype(np.uint16)
    return CodeBlock(pack(codes, bits), gains, alive)


def row_record(row, values):
    """Whole numbers of one row as they stand with their checksum."""
    body = values.tobytes()
    return body + zlib.crc32(row.to_bytes(8, "little") + body).to_bytes(4, "little")
