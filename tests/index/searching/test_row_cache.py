import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_mrl.errors import IndexFileError
from edge_mrl.index import Index
from edge_mrl.index.format.codes import Codes, encode
from edge_mrl.index.format.vector_rows import Vectors
from edge_mrl.index.searching.row_cache import RowCache, cached_row_bytes
from edge_mrl.index.searching.searcher import CACHE_BYTES
from edge_mrl.index.searching.stored_scores import stored_cosines, stored_lengths
from edge_mrl.slices import Slice

DIM = 8
ROWS = np.random.default_rng(8).standard_normal((200, DIM)).astype(np.float32)


class File:
    """Rows 1 to 200, and which of them were asked for."""

    def __init__(self, stored):
        self.stored, self.codes, self.asked = stored, encode(ROWS, stored), []

    def read(self, rows):
        self.asked += rows.tolist()
        codes = Codes(self.codes.packed[rows - 1], self.codes.scales[rows - 1])
        return Vectors(rows, codes, self.stored)


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from([8, 16, 32]),
    st.integers(1, 70),
    st.lists(st.sets(st.integers(1, 200), min_size=1, max_size=60), min_size=1, max_size=8),
)
def test_rows_are_those_of_the_file(bits, capacity, searches):
    file = File(Slice(DIM, bits))
    cache = RowCache(capacity, file.stored, file.read)
    for wanted in searches:
        rows = np.array(sorted(wanted), dtype=np.int64)
        found, direct = cache.vectors(rows), File(file.stored).read(rows)
        assert (found.rows == rows).all()
        assert (found.codes.packed == direct.codes.packed).all()
        assert (found.units == direct.units).all()
        assert found.lengths is None or (found.lengths == stored_lengths(direct)).all()


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([8, 16, 32]),
    st.integers(1, 250),
    st.lists(st.sets(st.integers(1, 200), max_size=200), min_size=1, max_size=6),
)
def test_cosines_are_those_of_the_file(bits, capacity, searches):
    file = File(Slice(DIM, bits))
    cache = RowCache(capacity, file.stored, file.read)
    query = ROWS[0] / np.linalg.norm(ROWS[0])
    for wanted in searches:
        rows = np.array(sorted(wanted), dtype=np.int64)
        found = cache.cosines(rows, query)
        assert (found == stored_cosines(File(file.stored).read(rows), query)).all()


def test_neighbours_are_read_once():
    file = File(Slice(DIM, 8))
    cache = RowCache(100, file.stored, file.read)
    for start, stop in ((51, 61), (55, 71), (141, 151), (51, 71)):
        cache.vectors(np.arange(start, stop))
    assert sorted(file.asked) == [*range(51, 71), *range(141, 151)]


def records_read(index, query):
    """How often a search asks the file for stored rows, and its hits."""
    statements = []
    index._store.connection.set_trace_callback(statements.append)
    hits = index.search(query)
    index._store.connection.set_trace_callback(None)
    return sum("SELECT record FROM wanted" in statement for statement in statements), hits


def test_a_small_index_reads_a_stored_row_once(vector_index, clustered):
    vectors = clustered(300, 32)
    index = vector_index()
    index.add(vectors=vectors)
    first, hits = records_read(index, vectors[3])
    assert first > 0
    assert records_read(index, vectors[3]) == (0, hits)
    index.delete([hits[0].id])
    index.add(vectors=vectors[3:4], ids=["again"])
    again, found = records_read(index, vectors[3])
    assert again == 1
    assert [hit.id for hit in found] == ["again", *(hit.id for hit in hits[1:])]


def test_a_budget_for_the_codes_alone_leaves_rows_in_the_file(vector_index, clustered):
    vectors = clustered(300, 32)
    writer = vector_index()
    writer.add(vectors=vectors)
    _, hits = records_read(writer, vectors[3])
    codes = writer.stats().resident_bytes
    for budget, again in ((codes, 1), (codes + 400 * cached_row_bytes(Slice(32, 8)), 0)):
        with Index.open(writer._store.path, memory_budget=budget) as index:
            assert records_read(index, vectors[3])[1] == hits
            assert records_read(index, vectors[3]) == (again, hits)


def test_an_index_that_does_not_fit_holds_no_rows(vector_index):
    rows = CACHE_BYTES // cached_row_bytes(Slice(1024, 8)) + 1
    vectors = np.random.default_rng(1).standard_normal((rows, 1024)).astype(np.float32)
    index = vector_index(dim=1024)
    index.add(vectors=vectors)
    count, hits = records_read(index, vectors[3])
    assert count > 0
    assert records_read(index, vectors[3]) == (count, hits)
    index.delete(range(1, 11))
    assert records_read(index, vectors[30])[0] > 0
    assert records_read(index, vectors[30])[0] == 0


def test_a_damaged_row_is_noticed_though_others_are_held(vector_index, clustered):
    vectors = clustered(1500, 32)
    index = vector_index()
    index.add(vectors=vectors)
    hits = index.search(vectors[3])  # of a shortlist of 1000
    index._store.connection.execute("UPDATE vectors SET record = zeroblob(length(record))")
    assert index.search(vectors[3]) == hits
    with pytest.raises(IndexFileError, match=r"vector of document \d+ is damaged"):
        index.search(-vectors[3])
