"""MaxSim of documents whose token vectors are read from the file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from edge_mrl.index.companions import tokens
from edge_mrl.index.format.codes import ByteArray
from edge_mrl.index.searching.maxsim import maxsim
from edge_mrl.index.storage.store import Store
from edge_mrl.retrieval.explain import Meter
from edge_mrl.retrieval.multi_vector import MultiVector
from edge_mrl.retrieval.ranking import Ranking

IntArray = npt.NDArray[np.int64]

_TOKENS = 16_384
"""Tokens of documents held at once, at least one document: 1.5 MiB of codes at 96 x 8."""


class TokenSearch:
    """Scores the documents of one store by late interaction. Called inside `store.read()`.

    Args:
        store: where the token vectors are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def nearest(
        self, query: MultiVector, limit: int, rows: IntArray | None, meter: Meter
    ) -> Ranking:
        """The best documents by MaxSim; those without token vectors are left out.

        Args:
            query: what is looked for.
            limit: how many are kept.
            rows: the only rows that are read, rising; None reads all token vectors of the file.
            meter: what was read is counted here.

        Raises:
            InputError: the index keeps no token vectors, or the query's do not fit them.
            IndexFileError: a record is damaged; names the document.
        """
        kept = tokens.required(self._store)
        units = kept.cut(query, "the token vectors of the query")
        if rows is None:
            records = tokens.read_all(self._store, kept)
        else:
            records = tokens.read(self._store, kept, rows.tolist())
        best = Ranking.empty()
        for numbers, codes in _batches(records):
            lengths = np.array([len(part) for part in codes])
            scores = maxsim(units, np.concatenate(codes), lengths, kept.stored)
            nbytes = sum(part.nbytes for part in codes)
            meter.count(len(codes), nbytes, sum(map(tokens.record_bytes, codes)))
            best = Ranking.of(
                np.concatenate([best.rows, np.array(numbers, dtype=np.int64)]),
                np.concatenate([best.scores, scores]),
                limit,
            )
        return best


def _batches(
    records: Iterator[tuple[int, ByteArray]],
) -> Iterator[tuple[list[int], list[ByteArray]]]:
    """Rows and codes of some documents at a time."""
    rows: list[int] = []
    codes: list[ByteArray] = []
    waiting = 0
    for row, part in records:
        rows.append(row)
        codes.append(part)
        waiting += len(part)
        if waiting >= _TOKENS:
            yield rows, codes
            rows, codes, waiting = [], [], 0
    if rows:
        yield rows, codes
