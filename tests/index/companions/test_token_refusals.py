"""Token vectors, and indexes of them, that cannot be: one sentence, and nothing is added."""

import numpy as np
import pytest

from edge_mrl.errors import InputError, SliceError, UntrainedDimError
from edge_mrl.retrieval import Lexical, MultiVector, SparseVector

DIM = 24


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[1.0, 2.0], [1.0]], "not of one width"),
        ([], "are empty: give at least one"),
        (np.empty((0, 4)), "are empty: give at least one"),
        (np.ones(4), r"shape \(tokens, dimensions\), not float64 of shape \(4,\)"),
        ([["a"]], r"must be numbers of shape \(tokens, dimensions\)"),
        (np.ones((2, 0)), "1 to 65536 dimensions"),
        (np.ones((65_537, 1)), "at most 65536 tokens"),
        ([[1.0], [float("nan")]], r"token 1 \(counted from 0\) is not finite: leave it out"),
        ([[1e300]], "token 0 .* is not finite"),
        ([[1.0], [0.0]], "token 1 .* is all zeros and has no direction: leave it out"),
    ],
)
def test_what_token_vectors_cannot_be(vector_index, vectors, message):
    with pytest.raises(InputError, match=f"^the token vectors.*{message}"):
        MultiVector(vectors)
    index = vector_index(32)
    index.create_token_index(DIM)
    with pytest.raises(InputError, match=f"^the token vectors of document 1.*{message}"):
        index.add(vectors=np.ones((2, 32)), token_vectors=[None, vectors])
    assert len(index) == 0


def test_what_does_not_fit_the_index(vector_index):
    index = vector_index(32)
    index.create_token_index(DIM, matryoshka_dims=[8, 12, DIM], slice=(12, 8))
    odd = np.zeros((2, DIM))
    odd[0], odd[1, -1] = 1, 1
    for wrong, message in (
        ([np.ones((1, DIM))], "1 token_vectors for 2 documents"),
        ([np.ones((1, 8)), None], "document 0 have 8 dimensions.*give 12 or 24"),
        ([np.ones((1, 16)), None], "document 0 have 16 dimensions.*give 12 or 24"),
        ([odd, None], "document 0: the first 12 coordinates of token 1 .* no direction"),
        ("ab", "token_vectors must be a list"),
    ):
        with pytest.raises(InputError, match=message):
            index.add(vectors=np.ones((2, 32)), token_vectors=wrong)
    assert len(index) == 0
    index.add(vectors=np.ones((2, 32)), token_vectors=[np.ones((1, 12)), np.ones((1, DIM))])
    for asked in (SparseVector([1], [1.0]), np.ones(32)):
        with pytest.raises(
            InputError, match="a tokens stage needs token vectors to ask: give it a text, a Multi"
        ):
            index.query(asked, using="tokens")
    for asked in ("text", Lexical("text")):
        with pytest.raises(InputError, match="made elsewhere, so a text cannot be asked by them"):
            index.query(asked, using="tokens")
    with pytest.raises(InputError, match="a dense stage needs a text or a vector"):
        index.query(MultiVector(np.ones((1, DIM))), using="dense")
    with pytest.raises(InputError, match="the token vectors of the query have 9 dimensions"):
        index.query(MultiVector(np.ones((1, 9))))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"dim": 0}, InputError, "sizes .0. of token vectors"),
        ({"dim": 8.5}, InputError, "whole numbers"),
        ({"dim": 8, "matryoshka_dims": []}, InputError, "sizes .. of token vectors"),
        ({"dim": 9, "matryoshka_dims": [8]}, UntrainedDimError, "trained sizes 8"),
        ({"dim": 8, "slice": (4, 8)}, UntrainedDimError, "trained sizes 8"),
        ({"dim": 8, "matryoshka_dims": [8, 16], "slice": (16, 8)}, SliceError, "wider"),
        ({"dim": 8, "slice": (8, 3)}, SliceError, "3 bits"),
    ],
)
def test_what_a_token_index_cannot_be(vector_index, arguments, error, message):
    index = vector_index(32)
    with pytest.raises(error, match=message):
        index.create_token_index(**arguments)
    assert index.token_slice is None
