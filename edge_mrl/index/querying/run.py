"""Carries a query out: the tree of branches and stages, from its leaves to its root."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from edge_mrl.index.filters.allowed import Allowed, RowFilter
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.querying.texts import Asker
from edge_mrl.index.records import DocumentId
from edge_mrl.index.searching.dense import Dense
from edge_mrl.index.searching.lexical_search import LexicalSearch
from edge_mrl.index.searching.sparse_search import SparseSearch
from edge_mrl.index.searching.token_search import TokenSearch
from edge_mrl.index.searching.vector_pool import VectorPool
from edge_mrl.index.storage.store import Store
from edge_mrl.retrieval.explain import TOP, Meter, Stage
from edge_mrl.retrieval.filter_parser import parse_filter
from edge_mrl.retrieval.filters import Filter
from edge_mrl.retrieval.fusion import fuse
from edge_mrl.retrieval.ranking import Ranking
from edge_mrl.retrieval.request import (
    DENSE,
    LEXICAL,
    SPARSE,
    TOKENS,
    Prefetch,
    QueryValue,
    Rrf,
    read_fusion,
)
from edge_mrl.slices import Slice

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ran:
    """A stage as it ran: see `retrieval.explain.Stage`, with rows instead of ids."""

    name: str
    depth: int
    meter: Meter
    milliseconds: float
    kept: int
    top: tuple[int, ...]
    below: tuple[int, ...] | None

    def with_ids(self, ids: Mapping[int, DocumentId]) -> Stage:
        """The same for people."""
        entered = moved = None
        if self.below is not None:
            entered = tuple(ids[row] for row in self.top if row not in self.below)
            pairs = zip_longest(self.top, self.below)
            moved = sum(one != other for one, other in pairs)
        return Stage(
            self.name,
            self.depth,
            self.meter.documents,
            self.meter.bytes_compared,
            self.meter.bytes_read,
            self.milliseconds,
            self.kept,
            tuple(ids[row] for row in self.top),
            entered,
            moved,
        )


@dataclass(frozen=True, slots=True)
class Searches:
    """The ways to search one store."""

    store: Store
    layout: IndexLayout
    dense: Dense
    lexical: LexicalSearch
    sparse: SparseSearch
    tokens: TokenSearch
    row_filter: RowFilter


class Node:
    """A `Prefetch` made ready before the file is read: its filter parsed, its text embedded.

    Args:
        prefetch: the node.
        query: what the node above asks.
        filter_: what holds above it.
        asker: embeds and checks.
        where: names the node in messages.
    """

    def __init__(
        self,
        prefetch: Prefetch,
        query: QueryValue | None,
        filter_: Filter,
        asker: Asker,
        where: str = "",
    ) -> None:
        self.limit = prefetch.limit
        self.threshold = prefetch.score_threshold
        self.filter = filter_
        if prefetch.filter is not None:
            own = parse_filter(prefetch.filter, f"{where}filter")
            self.filter = own if filter_ == Filter() else Filter(must=(filter_, own))
        asked = query if prefetch.query is None else prefetch.query
        self.branches = [
            Node(branch, asked, self.filter, asker, f"{where}prefetch[{number}].")
            for number, branch in enumerate(prefetch.branches)
        ]
        self.fusion = None if prefetch.fusion is None else read_fusion(prefetch.fusion)
        if self.fusion is None:
            self.using = asker.using(prefetch.using, asked)
            if self.using == LEXICAL:
                self.words = asker.lexical(asked)
            elif self.using == SPARSE:
                self.sparse = asker.sparse(asked)
            elif self.using == TOKENS:
                self.tokens = asker.tokens(asked)
            else:
                self.vector = asker.dense(asked)


class QueryRun:
    """One query at work. Called inside `store.read()`.

    Args:
        searches: the ways to search.
        explain: whether each stage is written down; the index's own stages then run one by one,
            with the same hits.
    """

    def __init__(self, searches: Searches, *, explain: bool) -> None:
        self._by = searches
        self._explain = explain
        self._pool = VectorPool(searches.store, searches.layout)
        self.stages: list[Ran] = []

    def run(self, node: Node, depth: int = 0) -> Ranking:
        """The node's list, after those of the nodes it looks at."""
        if node.fusion is not None:
            fusion = node.fusion
            lists = [self.run(branch, depth + 1) for branch in node.branches]
            name = f"rrf k={fusion.k:g}" if isinstance(fusion, Rrf) else "dbsf"

            def fused(meter: Meter) -> Ranking:
                meter.count(sum(found.rows.size for found in lists), 0)
                return fuse(fusion, lists, node.limit)

            return self._stage(name, depth, fused, lists, node.threshold)
        if node.branches:
            lists = [self.run(branch, depth + 1) for branch in node.branches]
            rows = np.unique(np.concatenate([found.rows for found in lists]))
            return self._stage(
                f"rescore {self._name(node)}",
                depth,
                lambda meter: self._rescored(node, rows, meter),
                lists,
                node.threshold,
            )
        allowed = self._by.row_filter.allowed(node.filter)
        if node.using == DENSE and self._explain:
            return self._own_stages(node, depth, allowed)
        return self._stage(
            self._name(node),
            depth,
            lambda meter: self._leaf(node, allowed, meter),
            None,
            node.threshold,
        )

    def _name(self, node: Node) -> str:
        if node.using == DENSE:
            return str(self._by.layout.stored) if node.branches else "the index's own stages"
        if isinstance(node.using, Slice) and not node.branches:
            return f"search {node.using}"
        return str(node.using)

    def _leaf(self, node: Node, allowed: Allowed | None, meter: Meter) -> Ranking:
        rows = None if allowed is None else allowed.rows
        match node.using:
            case "lexical":
                return self._by.lexical.nearest(node.words, node.limit, rows, meter)
            case "sparse":
                return self._by.sparse.nearest(node.sparse, node.limit, rows, meter)
            case "tokens":
                return self._by.tokens.nearest(node.tokens, node.limit, rows, meter)
            case Slice():
                slice_ = self._by.dense.check(node.using)
                return self._by.dense.nearest(node.vector, slice_, node.limit, allowed, meter)
        return self._by.dense.funnel(node.vector, node.limit, allowed)

    def _own_stages(self, node: Node, depth: int, allowed: Allowed | None) -> Ranking:
        """What `Dense.funnel` does, in stages that can be told apart."""
        dense, layout = self._by.dense, self._by.layout
        lists: list[Ranking] | None = None
        rows, keeps, read = dense.shortlist(node.vector, node.limit, allowed)
        if keeps is not None:

            def scanned(meter: Meter) -> Ranking:
                looked = Meter()
                found = dense.scanned(node.vector, layout.scan, keeps[0], allowed, looked)
                # Codes that are not in memory were read above, once, as a plain search reads them.
                meter.count(looked.documents, looked.bytes_compared, read)
                return found

            last = self._stage(f"scan {layout.scan}", depth + len(keeps), scanned, None)
            if len(keeps) > 1:
                last = self._stage(
                    f"refine {layout.refine}",
                    depth + 1,
                    lambda meter: dense.refined(node.vector, keeps, allowed, meter),
                    [last],
                )
            lists = [last]
        rising = np.sort(rows)
        return self._stage(
            f"rescore {layout.stored}",
            depth,
            lambda meter: self._rescored(node, rising, meter),
            lists,
            node.threshold,
        )

    def _rescored(self, node: Node, rows: IntArray, meter: Meter) -> Ranking:
        if node.using == LEXICAL:
            return self._by.lexical.nearest(node.words, node.limit, rows, meter)
        if node.using == SPARSE:
            return self._by.sparse.nearest(node.sparse, node.limit, rows, meter)
        if node.using == TOKENS:
            return self._by.tokens.nearest(node.tokens, node.limit, rows, meter)
        slice_ = node.using if isinstance(node.using, Slice) else self._by.layout.stored
        self._by.dense.check(slice_)
        before = self._pool.bytes_read
        found = self._by.dense.rescore(node.vector, slice_, rows, node.limit, self._pool)
        meter.count(rows.size, rows.size * slice_.nbytes, self._pool.bytes_read - before)
        return found

    def _stage(
        self,
        name: str,
        depth: int,
        work: Callable[[Meter], Ranking],
        lists: Sequence[Ranking] | None,
        threshold: float | None = None,
    ) -> Ranking:
        meter = Meter()
        started = time.perf_counter()
        found = work(meter).at_least(threshold)
        spent = (time.perf_counter() - started) * 1000
        if self._explain:
            self.stages.append(
                Ran(
                    name,
                    depth,
                    meter,
                    spent,
                    int(found.rows.size),
                    _top(found),
                    _top(lists[0]) if lists else None,
                )
            )
        return found


def _top(found: Ranking) -> tuple[int, ...]:
    return tuple(found.rows[:TOP].tolist())
