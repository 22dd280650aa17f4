"""From what a caller asks to unit vectors of the stored width."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import InputError
from edge_mrl.index.text_encoder import TextEncoder
from edge_mrl.index.writing import batch
from edge_mrl.slices import FloatArray

if TYPE_CHECKING:
    from edge_mrl.index.storage.meta import IndexMeta


def query_vector(
    query: str | npt.ArrayLike, encoder: TextEncoder | None, meta: IndexMeta
) -> FloatArray:
    """A query at the stored width.

    Args:
        query: a text, or a vector of a width that the index takes.
        encoder: embeds a text.
        meta: the index.

    Returns:
        (stored dim,) float32 of unit length.

    Raises:
        InputError: it cannot be used.
    """
    unit = _plain_unit(query, meta)
    if unit is not None:
        return unit
    if isinstance(query, str):
        batch.check_text(query, "the query")
        if encoder is None:
            raise InputError(
                "this index was opened without an encoder: "
                "search with a vector, or open it with one"
            )
        embedded = encoder.encode_query([query])
        unit = _plain_unit(embedded[0], meta)
        if unit is not None:
            return unit
        units = batch.unit_rows(embedded, meta, "query")
    else:
        units = batch.unit_rows([_one_vector(query, meta)], meta, "query")
    vector: FloatArray = units[0]
    if not vector.any():
        raise InputError(
            "the query has no direction (its vector is all zeros), so nothing is like it: "
            "ask with words that the model knows"
        )
    return vector


def _one_vector(query: npt.ArrayLike, meta: IndexMeta) -> npt.NDArray[np.generic]:
    expected = f"a query must be a text, or a vector of {meta.dim} numbers"
    try:
        vector = np.asarray(query)
    except ValueError as error:
        raise InputError(f"{expected}, not lists of different lengths") from error
    if vector.ndim == 1 and vector.dtype.kind in "fiu":
        return vector
    listed = isinstance(query, np.ndarray | list | tuple)
    found = f"{vector.dtype} of shape {vector.shape}" if listed else type(query).__name__
    raise InputError(f"{expected}, not {found}")


def _plain_unit(query: object, meta: IndexMeta) -> FloatArray | None:
    """What `batch.unit_rows` makes of a float32 array of the stored width, sooner; None where the
    query is anything else, or nothing can be searched with it."""
    stored = meta.layout.stored.dim
    if type(query) is not np.ndarray or query.dtype != np.float32 or query.shape != (stored,):
        return None
    wide = query.astype(np.float64)
    # No square of a float32 is too large for float64: what is not finite was not before.
    length = sqrt(np.einsum("ij,ij->i", wide[None], wide[None])[0])
    if not 0 < length < inf:
        return None
    unit: FloatArray = (wide / length).astype(np.float32)
    return unit


def query_vectors(
    queries: Sequence[str] | npt.ArrayLike, encoder: TextEncoder | None, meta: IndexMeta
) -> FloatArray:
    """Many queries at the stored width.

    Args:
        queries: n texts, or (n, d) vectors of a width that the index takes.
        encoder: embeds texts.
        meta: the index.

    Returns:
        (n, stored dim) float32 of unit length.

    Raises:
        InputError: one of them cannot be used.
    """
    if isinstance(queries, str):
        raise InputError("give a list of queries; for a single one there is search")
    listed = list(queries) if isinstance(queries, Sequence) else queries
    if isinstance(listed, list) and any(isinstance(query, str) for query in listed):
        found = [query_vector(query, encoder, meta) for query in listed]
        return np.stack(found)
    if np.size(listed) == 0:
        return np.empty((0, meta.layout.stored.dim), dtype=np.float32)
    units = batch.unit_rows(listed, meta, "query")
    lost = np.flatnonzero(~units.any(axis=1))
    if lost.size:
        raise InputError(
            f"query {lost[0]} (counted from 0) has a vector of zeros, so nothing is like it: "
            "leave it out"
        )
    return units
