"""Checks the sparse and token vectors that a caller hands in with documents. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy.typing as npt

from edge_mrl.errors import InputError
from edge_mrl.index.writing.batch import as_list
from edge_mrl.retrieval.multi_vector import MultiVector
from edge_mrl.retrieval.sparse_vector import SparseVector


def sparse_vectors(
    given: Sequence[SparseVector | None] | None, count: int
) -> dict[int, SparseVector]:
    """The sparse vectors of a batch, by the number of their document; empty ones are left out.

    Raises:
        InputError: there are not as many as documents, or one is no `SparseVector`.
    """
    listed = [None] * count if given is None else as_list(given, "sparse")
    if len(listed) != count:
        raise InputError(f"{len(listed)} sparse for {count} documents: give one for each, or None")
    for number, vector in enumerate(listed):
        if vector is not None and not isinstance(vector, SparseVector):
            raise InputError(
                f"the sparse vector of document {number} must be a SparseVector or None, "
                f"not {type(vector).__name__}"
            )
    return {n: vector for n, vector in enumerate(listed) if vector is not None and len(vector)}


def token_name(number: int) -> str:
    """What messages call the token vectors of a document."""
    return f"the token vectors of document {number}"


def token_vectors(
    given: Sequence[npt.ArrayLike | MultiVector | None] | None, count: int
) -> dict[int, MultiVector]:
    """The token vectors of a batch, by the number of their document.

    Raises:
        InputError: there are not as many as documents, or some are no token vectors; see
            `MultiVector`.
    """
    listed = [None] * count if given is None else as_list(given, "token_vectors")
    if len(listed) != count:
        raise InputError(
            f"{len(listed)} token_vectors for {count} documents: give one array for each, or None"
        )
    return {
        number: item if isinstance(item, MultiVector) else MultiVector(item, token_name(number))
        for number, item in enumerate(listed)
        if item is not None
    }
