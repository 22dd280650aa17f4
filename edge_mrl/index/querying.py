"""Asking an index: search, and queries of several stages and branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy.typing as npt

from edge_mrl.index import batch
from edge_mrl.index.asking import Asker
from edge_mrl.index.dense import Dense
from edge_mrl.index.filtering import Allowed, RowFilter
from edge_mrl.index.hit import Hit
from edge_mrl.index.ingest import query_vector, query_vectors
from edge_mrl.index.lexical_search import LexicalSearch
from edge_mrl.index.opening import Opened
from edge_mrl.index.payload import values
from edge_mrl.index.query_run import Node, QueryRun, Searches
from edge_mrl.index.searcher import Searcher
from edge_mrl.index.sparse_search import SparseSearch
from edge_mrl.index.text_encoder import TextEncoder
from edge_mrl.retrieval.explain import Explanation
from edge_mrl.retrieval.filter_parser import parse_filter
from edge_mrl.retrieval.filters import Filter
from edge_mrl.retrieval.grouping import Group, grouped
from edge_mrl.retrieval.keys import Step, parse_key
from edge_mrl.retrieval.question import Question
from edge_mrl.retrieval.ranking import Ranking
from edge_mrl.retrieval.request import (
    Fusion,
    Prefetch,
    QueryValue,
    SimilarTo,
    UsingLike,
    check_count,
)
from edge_mrl.slices import FloatArray

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

    def as_json(self) -> dict[str, object]:
        """Plain values for a JSON document: hits, and groups and stages where there are any."""
        found: dict[str, object] = {"hits": [hit.as_json() for hit in self.hits]}
        if self.groups is not None:
            found["groups"] = [
                {"value": group.value, "hits": [hit.as_json() for hit in group.hits]}
                for group in self.groups
            ]
        if self.explanation is not None:
            found["stages"] = self.explanation.as_json()
        return found


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
        return self._search(query_vector(query, self._encoder, self._meta), k, checked, exact=exact)

    def _search(
        self, vector: FloatArray, k: int, filter_: Filter | None, *, exact: bool
    ) -> list[Hit]:
        with self._store.read():
            allowed = self._allowed(filter_)
            if exact:
                found = self._dense.exact(vector, self._meta.layout.stored, k, allowed)
            else:
                found = self._dense.funnel(vector, k, allowed)
            hits = self._hits(found)
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
        batch.check_k(k)
        check_count(threads, "threads", 1)
        checked = None if filter is None else parse_filter(filter)
        vectors = query_vectors(queries, self._encoder, self._meta)
        with self._store.read():
            found = self._dense.funnel_many(vectors, k, threads, self._allowed(checked))
            hits = [self._hits(one) for one in found]
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
                takes, `Lexical`, `SparseVector`, or `SimilarTo` a document. What prefetches ask
                where they have no query of their own.
            prefetch: what the last stage looks at; nothing: all documents.
            using: what the last stage scores with: a slice such as ``(256, 8)``, ``"dense"``,
                ``"lexical"`` or ``"sparse"``. None: by the kind of query.
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
        question = Question(
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
        return self.ask(question)

    def ask(self, question: Question) -> QueryResult:
        """`query`, or an exact `search`, with its arguments as one value, such as
        `retrieval.parse_question` reads from JSON.

        Raises:
            EdgeMrlError: as `query` and `search`.
        """
        query, limit, offset = question.query, question.limit, question.offset
        asker = Asker(self._store, self._meta, self._encoder)
        if question.exact:
            filter_ = None if question.filter is None else parse_filter(question.filter)
            return QueryResult(self._search(asker.dense(query), limit, filter_, exact=True))
        key = question.group_by
        steps = None if key is None else parse_key(key, "group_by")
        node = Node(question.root, None, Filter(), asker)
        own = asker.likeness(query).row if isinstance(query, SimilarTo) else None
        run = QueryRun(self._searches, explain=question.explain)
        with self._store.read():
            groups: list[Group[Hit]] | None = None
            if steps is None:
                found = _without(run.run(node), own).part(offset, offset + limit)
                hits = self._hits(found)
            else:
                size = question.group_size
                groups = self._groups(run, node, own, steps, limit + offset, size)[offset:]
                hits = [hit for group in groups for hit in group.hits]
            explanation = self._explained(run) if question.explain else None
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
