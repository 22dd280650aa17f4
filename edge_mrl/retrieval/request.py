"""What a query may be made of: its text, its branches and stages, and how they are put together.
Pure values, checked when they are made.

A query is a tree of `Prefetch`. A leaf searches all documents; a node with prefetches looks only at
what they found, and either scores it again with what `using` names or fuses their lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeGuard

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import InputError
from edge_mrl.retrieval.multi_vector import MultiVector
from edge_mrl.retrieval.sparse_vector import SparseVector
from edge_mrl.schema import whole_number
from edge_mrl.slices import Slice

DENSE: Final = "dense"
LEXICAL: Final = "lexical"
SPARSE: Final = "sparse"
TOKENS: Final = "tokens"
NAMES = (DENSE, LEXICAL, SPARSE, TOKENS)
MAX_LIMIT = 1_000_000
MAX_DEPTH = 16
MAX_BRANCHES = 64


@dataclass(frozen=True, slots=True)
class Lexical:
    """Words to look for; scored by BM25.

    Attributes:
        text: any text; it is cut into words by the index's tokenizer, and no sign in it has a
            meaning of its own.
        match: documents with any of the words, or only those with all.
        prefix: the last word may be the beginning of one, as while somebody types.
        syntax: read `text` as an FTS5 expression instead, with its phrases, AND, NEAR and so on.

    Raises:
        InputError: a field is of the wrong kind.
    """

    text: str
    match: Literal["any", "all"] = "any"
    prefix: bool = False
    syntax: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise InputError(f"a lexical query must be a text, not {type(self.text).__name__}")
        if self.match not in ("any", "all"):
            raise InputError(f"match must be 'any' or 'all', not {self.match!r}")
        if self.syntax and (self.prefix or self.match == "all"):
            raise InputError("an FTS5 expression says itself what matches: leave match and prefix")


PUBLISHED_K = 61
"""The constant 60 of the paper, which adds it to ranks from 1; Qdrant's k to ranks from 0."""


@dataclass(frozen=True, slots=True)
class Rrf:
    """Reciprocal rank fusion; see `fusion.reciprocal_rank`.

    Attributes:
        k: how little the first places stand out, 1 or more, as Qdrant counts it: the first of a
            list of weight 1 scores 1 / k. Qdrant's default is 2.
        weights: one for each list, 0 or more; None for 1 each.
    """

    k: float = PUBLISHED_K
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not _is_number(self.k) or not 1 <= self.k < 1e9:
            raise InputError(f"the k of a fusion must be a number of 1 or more, not {self.k!r}")
        if self.weights is not None:
            object.__setattr__(self, "weights", tuple(self.weights))
            if not all(_is_number(w) and 0 <= w < 1e9 for w in self.weights):
                raise InputError("the weights of a fusion must be numbers of 0 or more")


@dataclass(frozen=True, slots=True)
class Dbsf:
    """Distribution-based score fusion; see `fusion.distribution_based`."""


@dataclass(frozen=True, slots=True)
class SimilarTo:
    """What is like a document of the index, which is left out of the hits itself.

    Attributes:
        id: the document; its stored vector, its text, its sparse vector or its token
            vectors are what is asked.
    """

    id: int | str


Fusion = Rrf | Dbsf
QueryValue = str | npt.ArrayLike | Lexical | SparseVector | MultiVector | SimilarTo
Using = Slice | Literal["dense", "lexical", "sparse", "tokens"]
UsingLike = Using | tuple[int, int] | str


def read_using(value: object) -> Using:
    """What a stage scores with: a slice, or a name.

    Raises:
        InputError: neither.
        SliceError: a slice that cannot be.
    """
    match value:
        case Slice() | "dense" | "lexical" | "sparse" | "tokens":
            return value
        case (int(dim), int(bits)):
            return Slice(dim, bits)
        case str() if "x" in value and value[:1].isdigit():
            return Slice.parse(value)
    raise InputError(
        f"using must be a slice such as (64, 4) or one of {', '.join(NAMES)}, not {value!r}"
    )


def read_fusion(value: object) -> Fusion:
    """A fusion, or its name.

    Raises:
        InputError: neither.
    """
    match value:
        case Rrf() | Dbsf():
            return value
        case "rrf":
            return Rrf()
        case "dbsf":
            return Dbsf()
    raise InputError(f"fusion must be 'rrf', 'dbsf', Rrf(...) or Dbsf(), not {value!r}")


def check_count(value: object, name: str, least: int) -> int:
    """A whole number that says how many.

    Raises:
        InputError: it is not one, or too large or small.
    """
    number = whole_number(value)
    if number is None or not least <= number <= MAX_LIMIT:
        raise InputError(
            f"{name} must be a whole number from {least} to {MAX_LIMIT}, not {value!r}"
        )
    return number


def check_threshold(value: object) -> float | None:
    """A least score, or None.

    Raises:
        InputError: it is not a number.
    """
    if value is None:
        return None
    if _is_number(value):
        return float(value)
    raise InputError(f"score_threshold must be a number, not {value!r}")


def _is_number(value: object) -> TypeGuard[float]:
    kinds = (int, float, np.integer, np.floating)
    return isinstance(value, kinds) and not isinstance(value, bool) and value == value


@dataclass(frozen=True, slots=True)
class Prefetch:
    """One branch or stage of a query.

    Attributes:
        slice: score with this slice of the dense vectors, e.g. ``(64, 4)``; short for `using`.
        limit: how many documents it hands on.
        prefetch: what it looks at; nothing: all documents.
        query: what is asked here; None: what the node above asks.
        using: a slice, ``"dense"`` (the index's own stages), ``"lexical"``, ``"sparse"`` or
            ``"tokens"``. None: by the kind of `query`.
        fusion: put the lists of `prefetch` together instead of scoring: ``"rrf"``, ``"dbsf"``, or
            `Rrf` and `Dbsf`.
        filter: which documents may be handed on; also holds for everything below it.
        score_threshold: leave out what scores less.

    Raises:
        InputError: a field is of the wrong kind, or two contradict each other.
        SliceError: a slice that cannot be.
    """

    slice: Slice | tuple[int, int] | str | None = None
    limit: int = 10
    prefetch: Prefetch | Sequence[Prefetch] = ()
    query: QueryValue | None = None
    using: Using | None = None
    fusion: Fusion | None = None
    filter: object = None
    score_threshold: float | None = None

    def __post_init__(self) -> None:
        if self.slice is not None and self.using is not None:
            raise InputError("a prefetch has both slice and using: give one of them")
        wanted = self.using if self.slice is None else self.slice
        if wanted is not None:
            object.__setattr__(self, "using", read_using(wanted))
        given = (self.prefetch,) if isinstance(self.prefetch, Prefetch) else self.prefetch
        if not isinstance(given, (list, tuple)) or not all(isinstance(p, Prefetch) for p in given):
            raise InputError("prefetch must be a Prefetch or a list of them")
        if len(given) > MAX_BRANCHES:
            raise InputError(f"{len(given)} prefetches are too many: give at most {MAX_BRANCHES}")
        object.__setattr__(self, "prefetch", tuple(given))
        object.__setattr__(self, "limit", check_count(self.limit, "limit", 1))
        object.__setattr__(self, "score_threshold", check_threshold(self.score_threshold))
        if self.fusion is not None:
            self._check_fusion()
        if self.depth > MAX_DEPTH:
            raise InputError(f"prefetches are nested deeper than {MAX_DEPTH}: simplify the query")

    def _check_fusion(self) -> None:
        fusion = read_fusion(self.fusion)
        object.__setattr__(self, "fusion", fusion)
        if not self.branches:
            raise InputError("a fusion needs prefetches, whose lists it puts together")
        if self.using is not None:
            raise InputError(
                "fusion gives the order, and so would using: fuse in a prefetch and score above it"
            )
        weights = fusion.weights if isinstance(fusion, Rrf) else None
        if weights is not None and len(weights) != len(self.branches):
            raise InputError(
                f"{len(weights)} weights for {len(self.branches)} prefetches: give one for each"
            )

    @property
    def branches(self) -> tuple[Prefetch, ...]:
        """`prefetch` as it is kept."""
        return (self.prefetch,) if isinstance(self.prefetch, Prefetch) else tuple(self.prefetch)

    @property
    def depth(self) -> int:
        """Stages from here to the farthest leaf."""
        return 1 + max((branch.depth for branch in self.branches), default=0)
