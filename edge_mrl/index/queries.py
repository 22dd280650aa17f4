"""Queries of several stages and branches, and filters: what a plain search does without. Loaded at
the first of them, as it takes as long to import as all of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_mrl.errors import InputError
from edge_mrl.index.asking import Asker
from edge_mrl.index.dense import Dense
from edge_mrl.index.filtering import Allowed, RowFilter
from edge_mrl.index.hit import Hit, hits_of
from edge_mrl.index.lexical_search import LexicalSearch
from edge_mrl.index.opening import Opened
from edge_mrl.index.payload import values
from edge_mrl.index.query_result import QueryResult
from edge_mrl.index.query_run import Node, QueryRun, Searches
from edge_mrl.index.sparse_search import SparseSearch
from edge_mrl.index.text_encoder import TextEncoder
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


class Queries:
    """Carries out the queries of one index."""

    def __init__(
        self, opened: Opened, encoder: TextEncoder | None, dense: Dense, memory_budget: int | None
    ) -> None:
        self._store = opened.store
        self._meta = opened.meta
        self._encoder = encoder
        self._row_filter = RowFilter(opened.store)
        self._searches = Searches(
            opened.store,
            opened.meta.layout,
            dense,
            LexicalSearch(opened.store, memory_budget),
            SparseSearch(opened.store),
            self._row_filter,
        )

    def parsed(self, filter: FilterLike) -> Filter:
        """A filter, checked.

        Raises:
            InputError: it cannot be used; names the faulty part.
        """
        return parse_filter(filter)

    def allowed(self, checked: Filter) -> Allowed | None:
        """The rows a filter keeps; None where it keeps all. Call inside `store.read()`."""
        return self._row_filter.allowed(checked)

    def query(
        self,
        query: QueryValue | None,
        *,
        prefetch: Prefetch | Sequence[Prefetch],
        using: UsingLike | None,
        fusion: Fusion | str | None,
        limit: int,
        offset: int,
        filter: FilterLike | None,
        score_threshold: float | None,
        group_by: str | None,
        group_size: int,
        explain: bool,
    ) -> QueryResult:
        """As `Index.query`."""
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
                hits = hits_of(self._store, found)
            else:
                groups = self._groups(run, node, own, steps, limit + offset, group_size)[offset:]
                hits = [hit for group in groups for hit in group.hits]
            explanation = self._explained(run) if explain else None
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
            hits = hits_of(self._store, _without(found, own))
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


def _without(found: Ranking, row: int | None) -> Ranking:
    if row is None:
        return found
    others = found.rows != row
    return Ranking(found.rows[others], found.scores[others])
