"""Asking an index: search, and queries of several stages and branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy.typing as npt

from edge_mrl.errors import InputError
from edge_mrl.index import batch
from edge_mrl.index.asking import Asker
from edge_mrl.index.dense import Dense
from edge_mrl.index.filtering import Allowed, RowFilter
from edge_mrl.index.hit import Hit
from edge_mrl.index.ingest import query_vector
from edge_mrl.index.lexical_search import LexicalSearch
from edge_mrl.index.opening import Opened
from edge_mrl.index.payload import values
from edge_mrl.index.query_run import Node, QueryRun, Searches
from edge_mrl.index.searcher import Searcher
from edge_mrl.index.sparse_search import SparseSearch
from edge_mrl.index.text_encoder import TextEncoder
from edge_mrl.index.token_search import TokenSearch
from edge_mrl.retrieval.explain import Explanation
from edge_mrl.retrieval.filter_parser import parse_filter
from edge_mrl.retrieval.filters import Filter
from edge_mrl.retrieval.grouping import Group, grouped
from edge_mrl.retrieval.keys import Step, check_key, parse_key
from edge_mrl.retrieval.ranking import Ranking
from edge_mrl.retrieval.request import (
    Fusion,
    Prefetch,
    QueryValue,
    SimilarTo,
    UsingLike,
    check_count,
    read_fusion,
    read_using,
)

FilterLike = Filter | Mapping[str, object]


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What `Index.query` found.

    Attributes:
        hits: best first; of a grouped query, those of the groups one after another.
        groups: where `group_by` was given, best first.
        explanation: where `explain` was given.
    """

    hits: list[Hit]
    groups: list[Group[Hit]] | None = None
    explanation: Explanation | None = None


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
        self._searches = Searches(
            opened.store,
            opened.meta.layout,
            self._dense,
            LexicalSearch(opened.store, memory_budget),
            SparseSearch(opened.store),
            TokenSearch(opened.store),
            self._row_filter,
        )

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
        check_count(limit, "limit", 1)
        check_count(offset, "offset", 0)
        check_count(group_size, "group_size", 1)
        steps = None if group_by is None else parse_key(check_key(group_by), "group_by")
        wanted = limit + offset if steps is None else (limit + offset) * group_size
        # What a document is like is itself, too.
        extra = 1 if isinstance(query, SimilarTo) else 0
        root = Prefetch(
            limit=check_count(wanted + extra, "limit and offset together", 1),
            prefetch=prefetch,
            query=query,
            using=None if using is None else read_using(using),
            fusion=None if fusion is None else read_fusion(fusion),
            filter=filter,
            score_threshold=score_threshold,
        )
        if query is None and fusion is None:
            raise InputError("there is nothing to look for: give a text, a vector or another query")
        asker = Asker(self._store, self._meta, self._encoder)
        node = Node(root, None, Filter(), asker)
        own = asker.likeness(query).row if isinstance(query, SimilarTo) else None
        run = QueryRun(self._searches, explain=explain)
        with self._store.read():
            groups: list[Group[Hit]] | None = None
            if steps is None:
                found = _without(run.run(node), own).part(offset, offset + limit)
                hits = self._hits(found)
            else:
                groups = self._groups(run, node, own, steps, limit + offset, group_size)[offset:]
                hits = [hit for group in groups for hit in group.hits]
            explanation = self._explained(run) if explain else None
        self._searcher.keep_repairs()
        return QueryResult(hits, groups, explanation)

    def _groups(
        self,
        run: QueryRun,
        node: Node,
        own: int | None,
        steps: Sequence[Step],
        limit: int,
        size: int,
    ) -> list[Group[Hit]]:
        """Asks for more hits until there are enough groups or no more hits."""
        count = self._store.count()
        while True:
            run.stages.clear()
            found = run.run(node)
            hits = self._hits(_without(found, own))
            pairs = ((hit, values(hit.metadata, steps)) for hit in hits)
            groups = grouped(pairs, limit, size)
            full = len(groups) == limit and all(len(group.hits) == size for group in groups)
            if full or found.rows.size < node.limit or node.limit >= count:
                return groups
            node.limit = min(4 * node.limit, max(count, 1))

    def _explained(self, run: QueryRun) -> Explanation:
        rows = {row for ran in run.stages for row in (*ran.top, *(ran.below or ()))}
        ids = self._store.ids_of(sorted(rows))
        return Explanation(tuple(ran.with_ids(ids) for ran in run.stages))

    def _allowed(self, checked: Filter | None) -> Allowed | None:
        """The rows a filter keeps; None where it keeps all."""
        return None if checked is None else self._row_filter.allowed(checked)

    def _hits(self, found: Ranking) -> list[Hit]:
        rows = found.rows.tolist()
        documents = self._store.documents_by_row(rows)
        return [
            Hit.of(documents[row], score)
            for row, score in zip(rows, found.scores.tolist(), strict=True)
        ]


def _without(found: Ranking, row: int | None) -> Ranking:
    if row is None:
        return found
    others = found.rows != row
    return Ranking(found.rows[others], found.scores[others])
