"""What a query asks for, and how its parts are put together. Pure: no file, no SQL, no vectors of
documents.

Reading order: filters and filter_parser (which documents), request (branches and stages), question
and question_parser (a whole query, and as JSON), fusion
(one list of several), explain (what each stage did). `edge_mrl.index` carries queries out.
A name is loaded when it is first used: a plain search needs none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_mrl.on_first_use import on_first_use

if TYPE_CHECKING:
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
    from edge_mrl.retrieval.question import Question
    from edge_mrl.retrieval.question_parser import QuestionError, parse_question
    from edge_mrl.retrieval.request import Dbsf, Lexical, Prefetch, Rrf, SimilarTo
    from edge_mrl.retrieval.sparse_vector import SparseVector

_HOMES = {
    "Dbsf": "edge_mrl.retrieval.request",
    "Explanation": "edge_mrl.retrieval.explain",
    "FieldCondition": "edge_mrl.retrieval.filters",
    "Filter": "edge_mrl.retrieval.filters",
    "Group": "edge_mrl.retrieval.grouping",
    "HasId": "edge_mrl.retrieval.filters",
    "IsEmpty": "edge_mrl.retrieval.filters",
    "IsNull": "edge_mrl.retrieval.filters",
    "Lexical": "edge_mrl.retrieval.request",
    "MatchAny": "edge_mrl.retrieval.filters",
    "MatchExcept": "edge_mrl.retrieval.filters",
    "MatchValue": "edge_mrl.retrieval.filters",
    "MinShould": "edge_mrl.retrieval.filters",
    "MultiVector": "edge_mrl.retrieval.multi_vector",
    "Nested": "edge_mrl.retrieval.filters",
    "Prefetch": "edge_mrl.retrieval.request",
    "Question": "edge_mrl.retrieval.question",
    "QuestionError": "edge_mrl.retrieval.question_parser",
    "Range": "edge_mrl.retrieval.filters",
    "Rrf": "edge_mrl.retrieval.request",
    "SimilarTo": "edge_mrl.retrieval.request",
    "SparseVector": "edge_mrl.retrieval.sparse_vector",
    "Stage": "edge_mrl.retrieval.explain",
    "parse_filter": "edge_mrl.retrieval.filter_parser",
    "parse_question": "edge_mrl.retrieval.question_parser",
}

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
    "Question",
    "QuestionError",
    "Range",
    "Rrf",
    "SimilarTo",
    "SparseVector",
    "Stage",
    "parse_filter",
    "parse_question",
]

__getattr__ = on_first_use(__name__, _HOMES)
