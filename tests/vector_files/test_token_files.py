"""Token vectors in files: what was written arrives, document by document, or nothing does."""

import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from edge_mrl.cli.main import main
from edge_mrl.errors import VectorFileError
from edge_mrl.index import Index
from edge_mrl.retrieval import MultiVector
from edge_mrl.vector_files import (
    Columns,
    add_vector_file,
    batch,
    check_vector_file,
    jsonl,
    npz,
    open_vector_file,
)

DIM, WIDTH = 8, 6


def material(counts, seed=0):
    """Vectors, and token vectors of each document; None where there are to be none."""
    generator = np.random.default_rng(seed)
    vectors = generator.standard_normal((len(counts), DIM)).astype(np.float32)
    tokens = [
        generator.standard_normal((count, WIDTH)).astype(np.float32) if count else None
        for count in counts
    ]
    return vectors, tokens


def write_jsonl(path, vectors, tokens):
    lines = [
        {"_id": f"d{row}", "vector": vector.tolist()}
        | {"token_vectors": None if found is None else found.tolist()}
        for row, (vector, found) in enumerate(zip(vectors, tokens, strict=True))
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_npz(path, vectors, tokens):
    there = [found for found in tokens if found is not None]
    np.savez(
        path,
        vectors=vectors,
        ids=np.array([f"d{row}" for row in range(len(vectors))]),
        token_vectors=np.concatenate([np.empty((0, WIDTH), np.float32), *there]),
        token_counts=np.array([0 if found is None else len(found) for found in tokens]),
    )


WRITERS = {".jsonl": write_jsonl, ".npz": write_npz}


@pytest.mark.parametrize("ending", WRITERS)
@given(counts=st.lists(st.integers(0, 5), min_size=1, max_size=12), limit=st.integers(1, 300))
@settings(max_examples=25, deadline=None)
def test_each_document_gets_its_own_in_batches_of_bounded_size(
    tmp_path_factory, ending, counts, limit
):
    vectors, tokens = material(counts)
    path = tmp_path_factory.mktemp("t") / f"v{ending}"
    WRITERS[ending](path, vectors, tokens)
    with pytest.MonkeyPatch.context() as patch:
        for module in (batch, jsonl, npz):
            patch.setattr(module, "BATCH_BYTES", limit)
        file = open_vector_file(path)
        batches = list(file.batches())
    assert file.token_dim == (WIDTH if any(counts) or ending == ".npz" else None)
    np.testing.assert_array_equal(np.concatenate([part.vectors for part in batches]), vectors)
    assert [id_ for part in batches for id_ in part.ids] == [f"d{n}" for n in range(len(counts))]
    if file.token_dim is not None:
        found = [one for part in batches for one in part.tokens]
        assert found == [None if one is None else MultiVector(one) for one in tokens]
        for part in batches:
            sizes = [0 if one is None else one.vectors.nbytes for one in part.tokens]
            assert sum(sizes[:-1]) < limit


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def max_sim(query, document):
    return float((unit(query.astype(np.float64)) @ unit(document).T).max(axis=1).sum())


@pytest.mark.parametrize("ending", WRITERS)
def test_built_added_to_and_asked_for_on_the_command_line(tmp_path, ending, capsys):
    vectors, tokens = material([3, 0, 2, 5])
    path = tmp_path / f"v{ending}"
    WRITERS[ending](path, vectors, tokens)
    place = tmp_path / "i.db"
    options = ["--vectors", path, "--identity", "x", "--token-vectors", "6x32"]
    assert main([*map(str, ["build", place, *options])]) == 0
    with Index.open(place) as index:
        query = np.random.default_rng(9).standard_normal((2, WIDTH))
        hits = index.query(MultiVector(query), limit=9)
        expected = {f"d{n}": max_sim(query, rows) for n, rows in enumerate(tokens) if n != 1}
        assert [hit.id for hit in hits.hits] == sorted(expected, key=expected.get, reverse=True)
        for hit in hits.hits:
            assert hit.score == pytest.approx(expected[hit.id], abs=1e-5)
        kept = index.get(["d3", "d1"], with_vectors=True)
        np.testing.assert_allclose(kept[0].token_vectors.vectors, unit(tokens[3]), atol=1e-6)
        np.testing.assert_allclose(kept[0].vector, unit(vectors)[3], atol=0.02)
        assert kept[1].token_vectors is None
        assert index.get(["d3"])[0].token_vectors is None
    other = tmp_path / f"more{ending}"
    WRITERS[ending](other, *material([4, 1], seed=1))
    capsys.readouterr()
    arguments = ["add", place, "--vectors", other, "--upsert"]
    assert main([*map(str, arguments)]) == 0
    with Index.open(place) as index:
        assert [len(one.token_vectors) for one in index.get(["d0", "d1"], with_vectors=True)] == [
            4,
            1,
        ]


def test_a_trained_size_of_them_can_be_kept(tmp_path):
    vectors, tokens = material([2, 3])
    write_jsonl(tmp_path / "v.jsonl", vectors, tokens)
    base = ["build", tmp_path / "i.db", "--vectors", tmp_path / "v.jsonl", "--identity", "x"]
    assert main([*map(str, [*base, "--token-vectors", "4x8"])]) == 2
    assert main([*map(str, [*base, "--token-vectors", "4x8", "--token-dims", "4,6"])]) == 0
    with Index.open(tmp_path / "i.db") as index:
        assert str(index.token_slice) == "4x8"
        found = index.get(["d0"], with_vectors=True)[0].token_vectors
        np.testing.assert_allclose(found.vectors, unit(tokens[0][:, :4]), atol=0.01)


def test_a_column_of_another_name(tmp_path):
    vectors, tokens = material([2])
    line = {"vector": vectors[0].tolist(), "colbert": tokens[0].tolist()}
    (tmp_path / "v.jsonl").write_text(json.dumps(line))
    assert open_vector_file(tmp_path / "v.jsonl").token_dim is None
    (part,) = open_vector_file(tmp_path / "v.jsonl", Columns(tokens="colbert")).batches()
    assert part.tokens == [MultiVector(tokens[0])]
    np.save(tmp_path / "v.npy", vectors)
    with pytest.raises(VectorFileError, match=r"are read from \.jsonl and \.npz only"):
        open_vector_file(tmp_path / "v.npy", Columns(tokens="colbert"))


ONE = [1.0] * WIDTH


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("words", "line 2: the field 'token_vectors' must be a list of lists"),
        ([], "line 2: the token_vectors are empty"),
        ([1.0, 2.0], "line 2: the token_vectors must be numbers of shape"),
        ([ONE, ONE[1:]], "line 2: the token_vectors are not of one width"),
        ([ONE[1:]], "line 2: the token_vectors have 5 dimensions, the first have 6"),
        ([[0.0] * WIDTH], r"line 2: the token_vectors: token 0 .* all zeros"),
        ([["1"] * WIDTH], "line 2: the token_vectors must be numbers"),
        ([[10**400, *ONE[1:]]], "line 2: the token_vectors must be numbers"),
        ([[1e39, *ONE[1:]]], "line 2: the token_vectors: token 0 .* not finite"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_added(tmp_path, bad, said):
    path = tmp_path / "v.jsonl"
    good = {"vector": [1.0] * DIM, "token_vectors": [ONE]}
    path.write_text(json.dumps(good) + "\n" + json.dumps(good | {"token_vectors": bad}) + "\n")
    with Index.create(tmp_path / "i.db", dim=DIM, matryoshka_dims=[DIM], identity="x") as index:
        index.create_token_index(WIDTH)
        with pytest.raises(VectorFileError, match=said):
            check_vector_file(index, open_vector_file(path))
        assert index.count() == 0


def test_an_index_that_keeps_none_or_others_says_so_at_once(tmp_path):
    write_npz(tmp_path / "v.npz", *material([2, 3]))
    file = open_vector_file(tmp_path / "v.npz")
    with Index.create(tmp_path / "i.db", dim=DIM, matryoshka_dims=[DIM], identity="x") as index:
        for use in (add_vector_file, check_vector_file):
            with pytest.raises(VectorFileError, match="the index keeps none"):
                use(index, file)
        index.create_token_index(4)
        for use in (add_vector_file, check_vector_file):
            with pytest.raises(VectorFileError, match="6 dimensions do not fit this index: give 4"):
                use(index, file)
        assert index.count() == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"token_counts": None}, "needs an array token_counts of 2 whole numbers"),
        ({"token_counts": np.array([5])}, "needs an array token_counts of 2 whole numbers"),
        ({"token_counts": np.array([2.0, 3.0])}, "needs an array token_counts"),
        ({"token_counts": np.array([-1, 6])}, "vector 0 .* are -1: give 0 to 65536"),
        ({"token_counts": np.array([2, 4])}, "vector 1 .* are not all there"),
        ({"token_counts": np.array([2, 2])}, "more rows than token_counts adds up to"),
        ({"token_vectors": np.ones(5)}, "token_vectors has the shape"),
        ({"token_vectors": np.array(["a"] * 5)[:, None]}, "token_vectors has the shape"),
        ({"token_vectors": np.full((5, WIDTH), np.nan)}, "vector 0 .* token 0 .* not finite"),
    ],
)
def test_arrays_that_do_not_fit_each_other(tmp_path, changed, said):
    vectors, tokens = material([2, 3])
    arrays = {"vectors": vectors, "token_vectors": np.concatenate(tokens)}
    arrays |= {"token_counts": np.array([2, 3])} | changed
    given_arrays = {name: array for name, array in arrays.items() if array is not None}
    np.savez(tmp_path / "v.npz", **given_arrays)
    with pytest.raises(VectorFileError, match=said):
        list(open_vector_file(tmp_path / "v.npz").batches())


def test_asking_for_token_vectors_that_are_not_there(tmp_path, capsys):
    np.save(tmp_path / "v.npy", np.ones((2, DIM), np.float32))
    base = ["build", tmp_path / "i.db", "--vectors", tmp_path / "v.npy", "--identity", "x"]
    assert main([*map(str, [*base, "--token-vectors"])]) == 2
    assert "holds no token vectors" in capsys.readouterr().err
    assert not (tmp_path / "i.db").exists()
