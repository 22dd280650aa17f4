from fractions import Fraction

import numpy as np
import pytest

from edge_mrl.index.format.codes import decode, encode
from edge_mrl.index.format.vector_rows import Vectors, pack_records
from edge_mrl.index.searching.stored_scores import (
    record_cosines,
    stored_cosines,
    stored_lengths,
    unit_cosines,
)
from edge_mrl.slices import Slice, normalize


def stored(count, dim, bits=8):
    rows = np.random.default_rng(4).standard_normal((count, dim)).astype(np.float32)
    slice_ = Slice(dim, bits)
    return Vectors(np.arange(1, count + 1), encode(rows, slice_), slice_)


def query_of(dim):
    return normalize(np.random.default_rng(5).standard_normal((1, dim)).astype(np.float32))[0]


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_the_sums_are_exact(bits):
    vectors, query = stored(12, 65, bits), query_of(65)
    unit = Fraction(2**24)
    whole = [round(Fraction(float(x)) * unit) for x in query]
    if bits == 8:
        rows = vectors.codes.packed.view(np.int8).tolist()
    else:
        rows = [
            [round(Fraction(float(x)) * unit) for x in row]
            for row in decode(vectors.codes, vectors.slice)
        ]
    for row, cosine in zip(rows, stored_cosines(vectors, query).tolist(), strict=True):
        dot = sum(a * b for a, b in zip(row, whole, strict=True))
        length = float(np.sqrt(float(sum(a * a for a in row))))
        assert cosine == dot / (length * 2.0**24)


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_they_are_the_cosines_of_the_decoded_vectors(bits):
    vectors, query = stored(40, 64, bits), query_of(64)
    wide = decode(vectors.codes, vectors.slice).astype(np.float64)
    expected = wide @ query.astype(np.float64) / np.linalg.norm(wide, axis=1)
    assert stored_cosines(vectors, query) == pytest.approx(expected, abs=1e-6)
    assert unit_cosines(vectors.units, query) == pytest.approx(expected, abs=1e-6)


def test_known_lengths_change_nothing():
    vectors, query = stored(20, 64), query_of(64)
    known = Vectors(vectors.rows, vectors.codes, vectors.slice, stored_lengths(vectors))
    assert (stored_cosines(known, query) == stored_cosines(vectors, query)).all()


def test_a_vector_of_zeros_scores_nothing():
    slice_ = Slice(16, 8)
    zero = Vectors(np.array([1]), encode(np.zeros((1, 16), dtype=np.float32), slice_), slice_)
    assert stored_cosines(zero, query_of(16)).tolist() == [0.0]


@pytest.mark.parametrize("dim", [7, 64, 129, 1000])
def test_a_cosine_does_not_depend_on_its_neighbours(dim):
    vectors, query = stored(50, dim), query_of(dim)
    together, units = stored_cosines(vectors, query), unit_cosines(vectors.units, query)
    for start, stop in ((0, 1), (3, 5), (10, 33)):
        codes = encode(decode(vectors.codes, vectors.slice)[start:stop], vectors.slice)
        part = Vectors(vectors.rows[start:stop], codes, vectors.slice)
        assert (stored_cosines(part, query) == together[start:stop]).all()
        assert (unit_cosines(vectors.units[start:stop], query) == units[start:stop]).all()


def test_records_score_what_their_vectors_do():
    vectors, query = stored(30, 65), query_of(65)
    records = pack_records(vectors.codes, vectors.slice, 1)
    found = record_cosines(records, vectors.rows, vectors.slice, query)
    assert (found == stored_cosines(vectors, query)).all()
    none = record_cosines([], vectors.rows[:0], vectors.slice, query)
    assert none is not None and none.size == 0


def test_records_that_want_a_closer_look_are_left_alone():
    vectors, query = stored(3, 16), query_of(16)
    records = pack_records(vectors.codes, vectors.slice, 1)
    older = pack_records(vectors.codes, vectors.slice, 1, scaled=True)
    spoilt = [records[0], records[1][:-1] + b"!", records[2]]
    shifted = [records[0][:-1], records[1], records[2] + b"?"]
    for listed in (older, spoilt, shifted, records[:2], [*records[:2], None], [*records[:2], "x"]):
        assert record_cosines(listed, vectors.rows, vectors.slice, query) is None
    wide = stored(3, 16, 16)
    listed = pack_records(wide.codes, wide.slice, 1)
    assert record_cosines(listed, wide.rows, wide.slice, query) is None
