"""A whole query: its last stage, and what of its hits is wanted. Pure values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge_mrl.errors import InputError
from edge_mrl.retrieval.keys import check_key
from edge_mrl.retrieval.multi_vector import MultiVector
from edge_mrl.retrieval.request import (
    DENSE,
    TOKENS,
    Fusion,
    Lexical,
    Prefetch,
    QueryValue,
    SimilarTo,
    Using,
    UsingLike,
    check_count,
    read_fusion,
    read_using,
)
from edge_mrl.retrieval.sparse_vector import SparseVector
from edge_mrl.slices import Slice

LIMIT = 10
GROUP_SIZE = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What `Index.query` is asked; its arguments say what each field means.

    Attributes:
        exact: compare with every stored vector; goes with `query`, `limit` and `filter` alone.

    Raises:
        InputError: a field is of the wrong kind, two contradict each other, or nothing is asked.
        SliceError: a slice that cannot be.
    """

    query: QueryValue | None = None
    prefetch: Prefetch | Sequence[Prefetch] = ()
    using: UsingLike | None = None
    fusion: Fusion | str | None = None
    limit: int = LIMIT
    offset: int = 0
    filter: object = None
    score_threshold: float | None = None
    group_by: str | None = None
    group_size: int = GROUP_SIZE
    explain: bool = False
    exact: bool = False

    def __post_init__(self) -> None:
        for name, least in (("limit", 1), ("offset", 0), ("group_size", 1)):
            object.__setattr__(self, name, check_count(getattr(self, name), name, least))
        if self.group_by is not None:
            check_key(self.group_by)
        if self.query is None and self.fusion is None:
            raise InputError("there is nothing to look for: give a text, a vector or another query")
        root = self.root
        if self.exact:
            staged = root.branches or root.using or root.fusion or self.offset or self.explain
            if staged or self.group_by is not None or self.score_threshold is not None:
                raise InputError("an exact search takes a query, limit and filter alone")
            if isinstance(self.query, (Lexical, SparseVector, MultiVector, SimilarTo)):
                raise InputError("an exact search takes a text or a vector")

    @property
    def root(self) -> Prefetch:
        """The last stage, which hands on enough for the hits that `offset` leaves out, for full
        groups, and for the document itself where one is asked for its likes."""
        wanted = self.limit + self.offset
        if self.group_by is not None:
            wanted *= self.group_size
        if isinstance(self.query, SimilarTo):
            wanted += 1
        return Prefetch(
            limit=check_count(wanted, "limit and offset together", 1),
            prefetch=self.prefetch,
            query=self.query,
            using=None if self.using is None else read_using(self.using),
            fusion=None if self.fusion is None else read_fusion(self.fusion),
            filter=self.filter,
            score_threshold=self.score_threshold,
        )

    @property
    def embeds(self) -> bool:
        """Whether a text must be embedded, which takes a model."""
        return any(_embeds(using, asked) for using, asked in _scored(self.root, None))

    @property
    def embeds_tokens(self) -> bool:
        """Whether token vectors of a text must be made, which takes a model that gives them."""
        return any(
            using == TOKENS and _embeds(using, asked) for using, asked in _scored(self.root, None)
        )


def _scored(
    node: Prefetch, above: QueryValue | None
) -> Iterator[tuple[Using | None, QueryValue | None]]:
    """What each stage and leaf scores with, and what it asks."""
    asked = above if node.query is None else node.query
    for branch in node.branches:
        yield from _scored(branch, asked)
    if node.fusion is None:
        yield node.using, asked


def _embeds(using: Using | None, asked: QueryValue | None) -> bool:
    by_model = isinstance(using, Slice) or using in (DENSE, TOKENS)
    return (isinstance(asked, str) and (by_model or using is None)) or (
        isinstance(asked, Lexical) and by_model
    )
