"""What a query asks for, and how its parts are put together. Pure: no file, no SQL, no vectors of
documents.

Reading order: filters and filter_parser (which documents), request (branches and stages), fusion
(one list of several), explain (what each stage did). `edge_mrl.index` carries queries out.
"""

from edge_mrl.retrieval.explain import Explanation, Stage
from edge_mrl.retrieval.filter_parser import parse_filter
from edge_mrl.retrieval.filters import (
    FieldCondition,
    Filter,
    HasId,
    IsEmpty,
    IsNull,
    MatchAny,
    MatchExcept,
    MatchValue,
    MinShould,
    Nested,
    Range,
)
from edge_mrl.retrieval.grouping import Group
from edge_mrl.retrieval.multi_vector import MultiVector
from edge_mrl.retrieval.request import Dbsf, Lexical, Prefetch, Rrf, SimilarTo, SparseVector

__all__ = [
    "Dbsf",
    "Explanation",
    "FieldCondition",
    "Filter",
    "Group",
    "HasId",
    "IsEmpty",
    "IsNull",
    "Lexical",
    "MatchAny",
    "MatchExcept",
    "MatchValue",
    "MinShould",
    "MultiVector",
    "Nested",
    "Prefetch",
    "Range",
    "Rrf",
    "SimilarTo",
    "SparseVector",
    "Stage",
    "parse_filter",
]
