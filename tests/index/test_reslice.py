"""A cut index against vectors that were cut by hand."""

import subprocess
import sys

import numpy as np
import pytest

from edge_mrl.errors import IndexFileError, SliceError, UntrainedDimError
from edge_mrl.index import (
    Document,
    Index,
    IndexLayout,
    Record,
    build_index,
    default_layout,
    reslice_index,
)
from edge_mrl.retrieval import Lexical, SparseVector
from edge_mrl.slices import Slice


@pytest.fixture
def source(tmp_path, clustered):
    """5000 vectors of 64 dimensions at full precision, some deleted, ids of both types."""
    path = tmp_path / "large.db"
    vectors = clustered(5000, 64)
    layout = IndexLayout(Slice(64, 32), Slice(64, 4))
    facts = {"dim": 64, "matryoshka_dims": [16, 32, 64], "identity": "i", "model_name": "m"}
    with Index.create(path, **facts, layout=layout) as index:
        ids = [n if n % 3 else f"t{n}" for n in range(5000)]
        texts = [f"text {n}" for n in range(5000)]
        index.add(texts, vectors=vectors, ids=ids, metadata=[{"n": n} for n in range(5000)])
        index.delete(ids[100:200])
        index.add(["last"], vectors=vectors[:1], ids=[9000])
        index.delete([9000])
    kept = [n for n in range(5000) if not 100 <= n < 200]
    return path, vectors, [ids[n] for n in kept], kept


@pytest.mark.parametrize("dim", [16, 32])
def test_vectors_are_cut_and_renormalised(source, tmp_path, dim):
    path, vectors, ids, kept = source
    seen = []
    with reslice_index(path, tmp_path / "small.db", dim, on_progress=seen.append) as index:
        assert seen[-1] == index.count() == len(ids)
        assert index.layout.stored == Slice(dim, 32)
        with index._store.read():
            rows = index._store.rows()
            found = index._store.vectors(rows.tolist(), index.layout.stored).units
        assert rows.tolist() == list(range(1, len(ids) + 1))
        cut = vectors[kept].astype(np.float64)[:, :dim]
        expected = cut / np.linalg.norm(cut, axis=1, keepdims=True)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        place = kept.index(4500)
        n = kept[place]
        assert index.get([ids[place]]) == [Document(ids[place], f"text {n}", {"n": n})]
        assert index.get(["t102", 100, 9000]) == []
        # Numbers once given are not given again.
        assert index.add(vectors=vectors[:1]) == [9001]


@pytest.mark.parametrize("bits", [8, 16])
def test_search_in_a_cut_index_equals_brute_force(source, tmp_path, clustered, brute_force, bits):
    path, vectors, ids, kept = source
    scan = Slice(16, 8)
    with reslice_index(path, tmp_path / "small.db", 32, bits=bits, scan=scan) as index:
        assert index.layout == IndexLayout(Slice(32, bits), scan)
        assert index.stats().expected_recall is not None
        shared = 0
        for query in clustered(20, 64, seed=1):
            expected = {ids[n] for n in brute_force(vectors[kept][:, :32], query[:32], 10)}
            shared += len({hit.id for hit in index.search(query, exact=True)} & expected)
        assert shared >= 195


def test_an_encoder_of_the_same_model_opens_it(tmp_path, word_encoder):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "board").mkdir()
    records = [Record("the heron waits in the reeds", "h"), Record("compress a file", "c")]
    bundle = tmp_path / "bundle"
    build_index(tmp_path / "i.db", word_encoder(), records, bundle=bundle).close()
    with reslice_index(tmp_path / "i.db", tmp_path / "board" / "i.db", 16) as index:
        assert index.bundle == tmp_path / "bundle"
    for dim in (16, 64):
        with Index.open(tmp_path / "board" / "i.db", word_encoder(dim)) as index:
            assert index.search("a heron", k=1)[0].id == "h"
            assert index.layout == default_layout(16, [16, 32, 64])
            index.upsert(["an owl"], ids=[f"owl{dim}"])


def test_what_cannot_be_cut_is_refused_and_leaves_nothing(source, tmp_path):
    path, *_ = source
    place = tmp_path / "out" / "small.db"
    place.parent.mkdir()
    for arguments, error, message in (
        ({"dim": 20}, UntrainedDimError, "16, 32, 64"),
        ({"dim": 32, "scan": Slice(8, 8)}, UntrainedDimError, "16, 32, 64"),
        ({"dim": 32, "scan": Slice(64, 1)}, SliceError, "wider than the stored"),
        ({"dim": 32, "bits": 4}, SliceError, "8, 16 or 32 bits"),
    ):
        with pytest.raises(error, match=message):
            reslice_index(path, place, **arguments)
    with reslice_index(path, tmp_path / "s.db", 32, bits=8):
        pass
    for dim, bits in ((64, 8), (16, 16)):
        with pytest.raises(SliceError, match="at most 32 dimensions and 8 bits"):
            reslice_index(tmp_path / "s.db", place, dim, bits=bits)
    with pytest.raises(IndexFileError, match="is the index to cut"):
        reslice_index(path, tmp_path / "out" / ".." / "large.db", 16)
    with pytest.raises(IndexFileError, match="there is no index"):
        reslice_index(tmp_path / "none.db", place, 16)
    with pytest.raises(IndexFileError, match="no folder"):
        reslice_index(path, tmp_path / "no" / "s.db", 16)
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(IndexFileError, match="not an index"):
        reslice_index(path, tmp_path / "letter", 16)
    assert list(place.parent.iterdir()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE vectors SET record = zeroblob(length(record)) WHERE row = 4000",
        "DELETE FROM vectors WHERE row = 4000",
        "UPDATE documents SET metadata = '{' WHERE row = 4000",
    ],
)
def test_a_damaged_document_is_named_and_nothing_is_made(source, tmp_path, statement):
    path, *_ = source
    with Index.open(path) as index, index._store.write():
        index._store.connection.execute(statement)
    (tmp_path / "out").mkdir()
    with pytest.raises(IndexFileError, match="'t3999'"):
        reslice_index(path, tmp_path / "out" / "s.db", 16)
    assert list((tmp_path / "out").iterdir()) == []


MEMORY = """
import sys, tracemalloc
from pathlib import Path
from edge_mrl.index import reslice_index
tracemalloc.start()
reslice_index(Path(sys.argv[1]), Path(sys.argv[2]), 16).close()
print(tracemalloc.get_traced_memory()[1])
"""


def test_memory_does_not_grow_with_the_index(tmp_path):
    peaks = []
    vectors = np.random.default_rng(0).standard_normal((17_000, 32))
    facts = {"dim": 32, "matryoshka_dims": [16, 32], "identity": "i", "model_name": "m"}
    for copies in (1, 2):
        path = tmp_path / f"{copies}.db"
        with Index.create(path, **facts) as index:
            for _ in range(copies):
                index.add(vectors=vectors)
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(path), str(tmp_path / "s.db")],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        peaks.append(int(done.stdout))
    assert peaks[1] < 1.3 * peaks[0]


def test_what_is_kept_beside_the_documents_comes_along(tmp_path, clustered):
    vectors = clustered(30, 32)
    with Index.create(
        tmp_path / "large.db", dim=32, matryoshka_dims=[16, 32], identity="i", model_name="m"
    ) as large:
        large.create_lexical_index("porter")
        large.create_payload_index("n")
        large.add(
            [f"heron {n}" for n in range(30)],
            vectors=vectors,
            metadata=[{"n": n} for n in range(30)],
            sparse=[SparseVector([n % 3], [1.0 + n]) for n in range(30)],
        )
        large.delete([1, 2])
        words = large.query(Lexical("herons 7")).hits
        products = large.query(SparseVector([1], [2.0])).hits
    with reslice_index(tmp_path / "large.db", tmp_path / "small.db", 16) as small:
        assert small.lexical_index == "porter" and small.payload_indexes == ("n",)
        assert small.query(Lexical("herons 7")).hits == words
        assert small.query(SparseVector([1], [2.0])).hits == products
        kept = small.search(vectors[3][:16], filter={"must": [{"key": "n", "range": {"lt": 5}}]})
        assert {hit.id for hit in kept} == {3, 4, 5}
