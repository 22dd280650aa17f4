"""Asking an index: search, and what it needs beside the file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy.typing as npt

from edge_mrl.index import batch
from edge_mrl.index.dense import Allowed, Dense
from edge_mrl.index.filtering import RowFilter
from edge_mrl.index.hit import Hit
from edge_mrl.index.ingest import query_vector
from edge_mrl.index.opening import Opened
from edge_mrl.index.searcher import Searcher
from edge_mrl.index.text_encoder import TextEncoder
from edge_mrl.retrieval.filter_parser import parse_filter
from edge_mrl.retrieval.filters import Filter
from edge_mrl.retrieval.ranking import Ranking

FilterLike = Filter | Mapping[str, object]


class Querying:
    """The part of `Index` that answers queries."""

    def __init__(
        self, opened: Opened, encoder: TextEncoder | None, memory_budget: int | None = None
    ) -> None:
        self._store = opened.store
        self._meta = opened.meta
        self._encoder = encoder
        self._searcher = Searcher(opened.store, opened.meta.layout, memory_budget)
        self._dense = Dense(opened.store, opened.meta.layout, self._searcher, memory_budget)
        self._row_filter = RowFilter(opened.store)

    def search(
        self,
        query: str | npt.ArrayLike,
        k: int = 10,
        *,
        filter: FilterLike | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """The documents most like a query, best first; equal scores by the order of adding.

        Args:
            query: a text (needs the encoder), or a vector of the width of the index.
            k: hits wanted, 1 or more; fewer come back from a smaller index.
            filter: which documents may be hits, by their metadata: a `Filter`, or a dict as Qdrant
                takes it; see docs/retrieval.md. Where it keeps few, all of them are compared.
            exact: compare with every stored vector, not only with a shortlist.

        Raises:
            InputError: `k`, the query or the filter cannot be used; names the filter's faulty part.
            IndexFileError: the file is damaged; names the document where it is one.
        """
        batch.check_k(k)
        checked = None if filter is None else parse_filter(filter)
        vector = query_vector(query, self._encoder, self._meta)
        with self._store.read():
            allowed = self._allowed(checked)
            if exact:
                found = self._dense.exact(vector, self._meta.layout.stored, k, allowed)
            else:
                found = self._dense.funnel(vector, k, allowed)
            hits = self._hits(found)
        self._searcher.keep_repairs()
        return hits

    def _allowed(self, checked: Filter | None) -> Allowed | None:
        """The rows a filter keeps; None where it keeps all."""
        if checked is None or checked == Filter():
            return None
        rows = self._row_filter.rows(checked)
        return None if rows.size == self._store.count() else Allowed(rows, repr(checked))

    def _hits(self, found: Ranking) -> list[Hit]:
        rows = found.rows.tolist()
        documents = self._store.documents_by_row(rows)
        return [
            Hit.of(documents[row], score)
            for row, score in zip(rows, found.scores.tolist(), strict=True)
        ]
