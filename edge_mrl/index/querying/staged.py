"""Queries of several stages and branches, and filters: what a plain search does without. Loaded at
the first of them, as it takes as long to import as all of a search."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

from edge_mrl.index.companions.payload import values
from edge_mrl.index.filters.allowed import Allowed, RowFilter
from edge_mrl.index.opening import Opened
from edge_mrl.index.querying.hit import Hit, hits_of
from edge_mrl.index.querying.result import QueryResult
from edge_mrl.index.querying.run import Node, QueryRun, Searches
from edge_mrl.index.querying.texts import Asker
from edge_mrl.index.searching.dense import Dense
from edge_mrl.index.searching.lexical_search import LexicalSearch
from edge_mrl.index.searching.sparse_search import SparseSearch
from edge_mrl.index.searching.token_search import TokenSearch
from edge_mrl.index.text_encoder import TextEncoder
from edge_mrl.retrieval.explain import Explanation
from edge_mrl.retrieval.filter_parser import parse_filter
from edge_mrl.retrieval.filters import Filter
from edge_mrl.retrieval.grouping import Group, grouped
from edge_mrl.retrieval.keys import Step, parse_key
from edge_mrl.retrieval.question import Question
from edge_mrl.retrieval.ranking import Ranking
from edge_mrl.retrieval.request import QueryValue, SimilarTo
from edge_mrl.slices import FloatArray

FilterLike = Filter | Mapping[str, object]

_LONGEST = 10_000
"""Characters of a filter that is kept in its parsed form."""


@lru_cache(maxsize=64)
def _parsed(text: str) -> Filter:
    """A filter from its JSON text, kept for the next search."""
    return parse_filter(json.loads(text))


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
            TokenSearch(opened.store),
            self._row_filter,
        )

    def parsed(self, filter: object) -> Filter:
        """A filter, checked.

        Raises:
            InputError: it cannot be used; names the faulty part.
        """
        try:
            text = json.dumps(filter)
        except (TypeError, ValueError, RecursionError):  # not values of JSON, or endless
            return parse_filter(filter)
        return parse_filter(filter) if len(text) > _LONGEST else _parsed(text)

    def allowed(self, checked: Filter) -> Allowed | None:
        """The rows a filter keeps; None where it keeps all. Call inside `store.read()`."""
        return self._row_filter.allowed(checked)

    def vector(self, query: QueryValue | None) -> FloatArray:
        """A query's vector at the stored width; see `Asker.dense`."""
        return Asker(self._store, self._meta, self._encoder).dense(query)

    def ask(self, question: Question) -> QueryResult:
        """As `Index.ask`, but not an exact search."""
        query, limit, offset = question.query, question.limit, question.offset
        asker = Asker(self._store, self._meta, self._encoder, with_tokens=question.embeds_tokens)
        key = question.group_by
        steps = None if key is None else parse_key(key, "group_by")
        node = Node(question.root, None, Filter(), asker)
        own = asker.likeness(query).row if isinstance(query, SimilarTo) else None
        run = QueryRun(self._searches, explain=question.explain)
        with self._store.read():
            groups: list[Group[Hit]] | None = None
            if steps is None:
                found = _without(run.run(node), own).part(offset, offset + limit)
                hits = hits_of(self._store, found)
            else:
                size = question.group_size
                groups = self._groups(run, node, own, steps, limit + offset, size)[offset:]
                hits = [hit for group in groups for hit in group.hits]
            explanation = self._explained(run) if question.explain else None
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
