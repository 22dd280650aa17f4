"""Asking an index: search, and queries of several stages and branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy.typing as npt

from edge_mrl.index.querying.hit import Hit, hits_of
from edge_mrl.index.querying.vectors import query_vector, query_vectors
from edge_mrl.index.text_encoder import TextEncoder
from edge_mrl.index.writing import batch
from edge_mrl.slices import FloatArray

if TYPE_CHECKING:
    from edge_mrl.index.opening import Opened
    from edge_mrl.index.querying.result import QueryResult
    from edge_mrl.index.querying.staged import FilterLike, Queries
    from edge_mrl.retrieval.filters import Filter
    from edge_mrl.retrieval.question import Question
    from edge_mrl.retrieval.request import Fusion, Prefetch, QueryValue, UsingLike


class Querying:
    """The part of `Index` that answers queries."""

    def __init__(
        self, opened: Opened, encoder: TextEncoder | None, memory_budget: int | None = None
    ) -> None:
        from edge_mrl.index.searching.dense import Dense
        from edge_mrl.index.searching.searcher import Searcher

        self._store = opened.store
        self._meta = opened.meta
        self._encoder = encoder
        self._searcher = Searcher(opened.store, opened.meta.layout, memory_budget)
        self._dense = Dense(opened.store, opened.meta.layout, self._searcher, memory_budget)
        self._opened = opened
        self._budget = memory_budget
        self._made: Queries | None = None

    @property
    def _queries(self) -> Queries:
        """Made at the first query that is more than a plain search."""
        if self._made is None:
            from edge_mrl.index.querying.staged import Queries

            self._made = Queries(self._opened, self._encoder, self._dense, self._budget)
        return self._made

    def search(
        self,
        query: str | npt.ArrayLike,
        k: int = 10,
        *,
        filter: FilterLike | None = None,
        exact: bool = False,
        threads: int = 1,
    ) -> list[Hit]:
        """The documents most like a query, best first; equal scores by the order of adding.

        Args:
            query: a text (needs the encoder), or a vector of the width of the index.
            k: hits wanted, 1 or more; fewer come back from a smaller index.
            filter: which documents may be hits, by their metadata: a `Filter`, or a dict as Qdrant
                takes it; see docs/retrieval.md. Where it keeps few, all of them are compared.
            exact: compare with every stored vector, not only with a shortlist.
            threads: how many share the scan, from 131 072 documents on; below, with a filter, and
                of codes that are read from the file, one. The hits are the same.

        Raises:
            InputError: `k`, `threads`, the query or the filter cannot be used; names the filter's
                faulty part.
            IndexFileError: the file is damaged; names the document where it is one.
        """
        k, threads = batch.check_k(k), batch.check_threads(threads)
        checked = None if filter is None else self._queries.parsed(filter)
        vector = query_vector(query, self._encoder, self._meta)
        return self._search(vector, k, checked, exact=exact, threads=threads)

    def _search(
        self, vector: FloatArray, k: int, checked: Filter | None, *, exact: bool, threads: int = 1
    ) -> list[Hit]:
        with self._store.read():
            allowed = None if checked is None else self._queries.allowed(checked)
            if exact:
                found = self._dense.exact(vector, self._meta.layout.stored, k, allowed)
            else:
                found = self._dense.funnel(vector, k, allowed, threads)
            hits = hits_of(self._store, found)
        self._searcher.keep_repairs()
        return hits

    def search_many(
        self,
        queries: Sequence[str] | npt.ArrayLike,
        k: int = 10,
        *,
        threads: int = 1,
        filter: FilterLike | None = None,
    ) -> list[list[Hit]]:
        """The hits of `search` for each of many queries; all see the index in the same state.

        Args:
            queries: n texts (needs the encoder), or an (n, d) array of vectors.
            k: as in `search`.
            threads: how many share the scans. Searches with a filter, and of codes that are read
                from the file, use one.
            filter: as in `search`; for all queries.

        Raises:
            InputError: `k`, `threads`, the filter or one of the queries cannot be used.
            IndexFileError: as `search`.
        """
        k, threads = batch.check_k(k), batch.check_threads(threads)
        checked = None if filter is None else self._queries.parsed(filter)
        vectors = query_vectors(queries, self._encoder, self._meta)
        with self._store.read():
            allowed = None if checked is None else self._queries.allowed(checked)
            found = self._dense.funnel_many(vectors, k, threads, allowed)
            hits = [hits_of(self._store, one) for one in found]
        self._searcher.keep_repairs()
        return hits

    def query(
        self,
        query: QueryValue | None = None,
        *,
        prefetch: Prefetch | Sequence[Prefetch] = (),
        using: UsingLike | None = None,
        fusion: Fusion | str | None = None,
        limit: int = 10,
        offset: int = 0,
        filter: FilterLike | None = None,
        score_threshold: float | None = None,
        group_by: str | None = None,
        group_size: int = 3,
        explain: bool = False,
    ) -> QueryResult:
        """Ask in stages and branches, as Qdrant's query does; see docs/retrieval.md.

        ``index.query(text)`` is a search. ``index.query(text, prefetch=Prefetch((64, 4),
        limit=100), using=(256, 8))`` finds 100 documents by 64 dimensions at 4 bits and orders them
        by 256 at 8. ``index.query(text, prefetch=[Prefetch(using="dense", limit=100),
        Prefetch(using="lexical", limit=100)], fusion="rrf")`` fuses two branches.

        Args:
            query: a text (needs the encoder for dense stages), a vector of a width that the index
                takes, `Lexical`, `SparseVector`, `MultiVector`, or `SimilarTo` a document.
                What prefetches ask where they have no query of their own.
            prefetch: what the last stage looks at; nothing: all documents.
            using: what the last stage scores with: a slice such as ``(256, 8)``, ``"dense"``,
                ``"lexical"``, ``"sparse"`` or ``"tokens"``. None: by the kind of query.
            fusion: ``"rrf"``, ``"dbsf"``, `Rrf` or `Dbsf`: puts the lists of `prefetch` together.
            limit: hits (or groups) wanted, 1 or more.
            offset: how many of the best to leave out, for paging. The stages below must hand on
                enough for all pages.
            filter: which documents may be found by any stage; see `search`.
            score_threshold: leave out what the last stage scores less.
            group_by: a metadata key; hits with the same value come as one group.
            group_size: hits of each group.
            explain: write down what each stage did.

        Raises:
            InputError: an argument cannot be used; names the part of a filter.
            UntrainedDimError: a slice cuts where the model was not trained.
            SliceError: a slice needs more than is stored.
            IndexFileError: the file is damaged.
        """
        from edge_mrl.retrieval.question import Question

        return self.ask(
            Question(
                query,
                prefetch,
                using,
                fusion,
                limit,
                offset,
                filter,
                score_threshold,
                group_by,
                group_size,
                explain,
            )
        )

    def ask(self, question: Question) -> QueryResult:
        """`query`, or an exact `search`, with its arguments as one value, such as
        `retrieval.parse_question` reads from JSON.

        Raises:
            EdgeMrlError: as `query` and `search`.
        """
        if question.exact:
            from edge_mrl.index.querying.result import QueryResult

            checked = None if question.filter is None else self._queries.parsed(question.filter)
            vector = self._queries.vector(question.query)
            return QueryResult(self._search(vector, question.limit, checked, exact=True))
        found = self._queries.ask(question)
        self._searcher.keep_repairs()
        return found
