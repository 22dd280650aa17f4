"""Every kernel on the same data: checked rows and codes from planes."""

import zlib

import numpy as np
import pytest

from edge_mrl.kernel import CodeBlock, bit_planes, checked_rows, pack
from tests.kernel.every_kernel import EVERY
from tests.kernel.oracle import row_record


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
@pytest.mark.parametrize("dim", [1, 7, 8, 9, 64, 255, 384, 1500, 65_536])
def test_products_of_picked_rows(kernel, dim):
    generator = np.random.default_rng(dim)
    table = generator.integers(-128, 128, (9, dim)).astype(np.int8)
    table[0], table[1] = -128, 0
    query = generator.uniform(-1, 1, dim).astype(np.float32)
    query[0] = 1
    places = np.array([8, 0, 1, 3, 0, 5, 7])
    whole = [round(value * 2**24) for value in query.astype(np.float64).tolist()]
    wanted = [sum(a * b for a, b in zip(table[at].tolist(), whole, strict=True)) for at in places]
    assert kernel.picked_products(table, places, query).tolist() == wanted
    assert kernel.picked_products(table, places[:0], query).size == 0


@EVERY
def test_places_outside_a_table_are_refused(kernel):
    table, query = np.ones((4, 20), dtype=np.int8), np.full(20, 0.1, dtype=np.float32)
    for outside in (-1, 4, 2**62):
        with pytest.raises(ValueError, match="outside a table of 4 rows"):
            kernel.picked_products(table, np.array([0, outside]), query)
    for wrong in (table[:, :19], table[0]):
        with pytest.raises(ValueError, match="a query of 20 numbers"):
            kernel.picked_products(wrong, np.array([0]), query)


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
