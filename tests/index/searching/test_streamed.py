"""Searching with less memory than the scan codes need."""

import os
import subprocess
import sys

import numpy as np
import pytest

from edge_mrl.errors import IndexFileError, InputError
from edge_mrl.index import Index, IndexLayout
from edge_mrl.index.format import segments
from edge_mrl.index.searching import funnel
from edge_mrl.index.searching.streamed import resident_need
from edge_mrl.slices import Slice


@pytest.fixture(params=[None, Slice(32, 4)], ids=["scan", "scan and refine"])
def path(vector_index, clustered, monkeypatch, tmp_path, request):
    """A file of five segments and a tail, with deleted documents and equal ones."""
    monkeypatch.setattr(segments, "MIN_ROWS", 100)
    # Both lists are shorter than the index.
    monkeypatch.setattr(funnel, "UNMEASURED_FIRST_LIST", 120)
    monkeypatch.setattr(funnel, "UNMEASURED_SHORTLIST", 40)
    monkeypatch.setattr(funnel, "UNMEASURED_REFINED_LIST", 40)
    index = vector_index(32, layout=IndexLayout(Slice(32, 8), Slice(32, 2), request.param))
    vectors = clustered(560, 32)
    vectors[300] = vectors[20]
    for start in range(0, 500, 100):
        index.add(vectors=vectors[start : start + 100])
    index.add(vectors=vectors[500:])
    index.delete([5, 205, 510])
    return tmp_path / "v.db"


def test_hits_are_the_same_and_less_is_held(path, clustered):
    queries = [*clustered(560, 32)[[20, 300, 530]], *clustered(20, 32, seed=1)]
    with Index.open(path) as whole, Index.open(path, memory_budget=6000) as small:
        for query in queries:
            for k in (1, 10, 70, 600):
                assert small.search(query, k=k) == whole.search(query, k=k)
        assert small.stats().resident_bytes < 3000 < 6000 < whole.stats().resident_bytes
        with whole._store.read():
            need = resident_need(whole._store, whole.layout)
        assert 0.95 * need <= whole.stats().resident_bytes <= 1.25 * need


def test_it_follows_the_file_and_changes_over_when_codes_fit(path, clustered):
    query = clustered(560, 32)[40]
    with Index.open(path) as writer, Index.open(path, memory_budget=6000) as small:
        for change in (
            lambda: writer.add(vectors=[query], ids=["new"]),
            lambda: writer.add(vectors=clustered(150, 32, seed=4)),
            lambda: writer.delete([41, "new"]),
            writer.optimize,
            lambda: writer.delete(list(range(1, 560))),
            writer.optimize,
        ):
            change()
            assert small.search(query, k=30) == writer.search(query, k=30)
            assert small.stats().documents == writer.stats().documents
        # What is left of them fits.
        assert small.stats().resident_bytes == writer.stats().resident_bytes > 0
        small.add(vectors=clustered(500, 32, seed=5))
        assert small.search(query, k=30) == writer.search(query, k=30)
        assert small.stats().resident_bytes < writer.stats().resident_bytes


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE segments SET codes = zeroblob(length(codes))",
        "DELETE FROM segments",
        "DELETE FROM segments WHERE first_row = 201",
        "UPDATE segments SET format = 99 WHERE first_row > 100",
        "DELETE FROM segments WHERE number % 2",
        "DELETE FROM segments WHERE number % 2 = 0",
        "UPDATE segments SET codes = zeroblob(length(codes)) WHERE slice = '32x4'",
        "UPDATE segments SET slice = '32x1' WHERE slice = '32x4'",
        "UPDATE segments SET last_row = last_row + 1 WHERE slice = '32x4'",
    ],
)
def test_damaged_segments_are_made_again(path, clustered, statement):
    queries = clustered(10, 32, seed=2)
    with Index.open(path) as whole:
        expected = [whole.search(query) for query in queries]
    with Index.open(path, memory_budget=0) as small:
        with small._store.write():
            small._store.connection.execute(statement)
        assert [small.search(query) for query in queries] == expected
    with Index.open(path) as whole:
        assert [whole.search(query) for query in queries] == expected


def test_a_damaged_vector_names_the_document(path, clustered):
    with Index.open(path, memory_budget=0) as small:
        with small._store.write():
            small._store.connection.execute("DELETE FROM segments")
            small._store.connection.execute("UPDATE vectors SET record = x'00' WHERE row = 77")
        with pytest.raises(IndexFileError, match="document 77 is damaged"):
            small.search(clustered(1, 32)[0])


def test_explain_says_what_a_search_reads_of_the_file(path, clustered):
    """Every byte of the segments once; the tail is in memory."""
    (query,) = clustered(1, 32, seed=3)
    with Index.open(path) as whole, Index.open(path, memory_budget=0) as small:
        (stored,) = whole._store.connection.execute(
            "SELECT sum(length(row_numbers) + length(gains) + length(codes)) FROM segments"
        ).fetchone()
        for filter in (None, {"must_not": [{"has_id": [1, 2, 3]}]}):
            *stages, last = small.query(query, filter=filter, explain=True).explanation.stages
            assert stages[0].name == "scan 32x2"
            assert [part.bytes_read for part in stages] == [stored, 0][: len(stages)]
            assert last.bytes_read == last.documents * 36
            *stages, last = whole.query(query, filter=filter, explain=True).explanation.stages
            assert [part.bytes_read for part in stages] == [0, 0][: len(stages)]
        # Codes of a slice that the file does not keep are made of all rows but those of the tail.
        (stage,) = small.query(query, using=(16, 8), explain=True).explanation.stages
        assert stage.bytes_read == (557 - 59) * 36
        assert whole.query(query, using=(16, 8), explain=True).explanation.bytes_read == 0


@pytest.mark.parametrize("budget", [-1, 1.5, "1 MB"])
def test_a_budget_is_a_number_of_bytes(path, budget):
    with pytest.raises(InputError, match="memory_budget"):
        Index.open(path, memory_budget=budget)


LIMITED = """
import resource, sys
import numpy as np
from edge_mrl.index import Index
path, small, budget = sys.argv[1], sys.argv[2], None if sys.argv[3] == "none" else int(sys.argv[3])
query = np.ones(256)
with Index.open(small, memory_budget=0) as index:
    index.search(query)  # What the libraries take once is taken before the limit.
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 9 * 2**20, size + 9 * 2**20))
try:
    with Index.open(path, memory_budget=budget) as index:
        print([hit.id for hit in index.search(query)], index.stats().resident_bytes)
except MemoryError:
    print("out of memory")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/statm")
def test_a_process_with_little_memory_searches_a_large_index(vector_index, tmp_path):
    """13 MiB of codes in a process that may take 9 MiB more."""
    layout = IndexLayout(Slice(256, 8), Slice(256, 8))
    generator = np.random.default_rng(0)
    small = vector_index(256, "small.db", layout)
    small.add(vectors=generator.standard_normal((4200, 256)))
    index = vector_index(256, "large.db", layout)
    with index.bulk_load():
        for _ in range(12):
            index.add(vectors=generator.standard_normal((4200, 256), dtype=np.float32))
    expected = [hit.id for hit in index.search(np.ones(256))]

    def run(budget):
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, tmp_path / "large.db", tmp_path / "small.db", budget],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": ":".join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
        )
        return done.stdout.strip()

    assert run("none") == "out of memory"
    assert run("1000000") == f"{expected} 0"
