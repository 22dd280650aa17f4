"""Lengths of documents, as SQLite writes them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl.index.companions.lexical_lengths import Lengths, varints


def written(number):
    """A number as the format of SQLite's files describes varints."""
    groups = [number & 127]
    while number := number >> 7:
        groups.append(number & 127 | 128)
    return bytes(reversed(groups))


@given(st.lists(st.integers(0, 2**28 - 1) | st.integers(0, 200)))
def test_varints_are_read_back(numbers):
    data = np.frombuffer(b"".join(map(written, numbers)), dtype=np.uint8)
    assert varints(data).tolist() == numbers


@pytest.mark.parametrize("data", [b"\xff", b"\x01\x80", b"\x81\x80\x80\x80\x00"])
def test_bytes_that_are_none(data):
    assert varints(np.frombuffer(data, dtype=np.uint8)) is None


@given(st.lists(st.integers(1, 60), unique=True, max_size=20), st.lists(st.integers(0, 70)))
def test_rows_and_places_belong_to_each_other(held, asked):
    rows = np.array(sorted(held), dtype=np.int64)
    words = np.ones(rows.size, dtype=np.uint8)
    together = rows.size == 0 or rows[-1] - rows[0] + 1 == rows.size
    first = int(rows[0]) if rows.size else 0
    kinds = [Lengths(first, rows, words, 1.0)] if rows.size else []
    if together:
        kinds.append(Lengths(first, None, words, 1.0))
    wanted = np.array(sorted(asked), dtype=np.int64)
    for lengths in kinds:
        places = lengths.places(wanted)
        assert lengths.rows(places).tolist() == [row for row in sorted(asked) if row in held]
