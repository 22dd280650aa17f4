"""A query as JSON is the query that Python would make, or a sentence with the path of the fault."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl.retrieval import (
    Dbsf,
    FieldCondition,
    Filter,
    Lexical,
    MatchValue,
    Prefetch,
    Question,
    QuestionError,
    Rrf,
    SimilarTo,
    SparseVector,
    parse_question,
)
from edge_mrl.retrieval.multi_vector import MultiVector
from edge_mrl.retrieval.question_parser import MAX_NODES
from edge_mrl.slices import Slice

KIND = {"must": [{"key": "kind", "match": {"value": "bird"}}]}
KIND_FILTER = Filter((FieldCondition("kind", match=MatchValue("bird")),))
GTE = {"must": [{"key": "n", "range": {"gte": []}}]}
SPARSE = {"indices": [1, 7], "values": [0.5, 2]}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"query": "a bird"}, Question("a bird")),
        ({"query": [1, 0.5]}, Question([1.0, 0.5])),
        ({"query": {"nearest": [1, 0.5]}}, Question([1.0, 0.5])),
        ({"query": "x", "using": None, "prefetch": None, "limit": None}, Question("x")),
        ({"query": SPARSE}, Question(SparseVector([1, 7], [0.5, 2]))),
        ({"query": {"lexical": "x"}}, Question(Lexical("x"))),
        (
            {"query": {"lexical": {"text": "x", "match": "all", "prefix": True}}},
            Question(Lexical("x", "all", prefix=True)),
        ),
        ({"query": {"similar_to": 7}, "offset": 2}, Question(SimilarTo(7), offset=2)),
        (
            {"query": "x", "filter": KIND, "group_by": "kind", "group_size": 1, "explain": True},
            Question("x", filter=KIND_FILTER, group_by="kind", group_size=1, explain=True),
        ),
        (
            {"query": "x", "using": [256, 8], "prefetch": {"using": "64x4", "limit": 100}},
            Question("x", using=Slice(256, 8), prefetch=Prefetch(using=Slice(64, 4), limit=100)),
        ),
        (
            {
                "prefetch": [
                    {"query": "x", "score_threshold": 0.5, "filter": KIND},
                    {"query": SPARSE, "using": "sparse"},
                ],
                "query": {"rrf": {"k": 2, "weights": [2, 1]}},
            },
            Question(
                prefetch=[
                    Prefetch(query="x", score_threshold=0.5, filter=KIND_FILTER),
                    Prefetch(query=SparseVector([1, 7], [0.5, 2]), using="sparse"),
                ],
                fusion=Rrf(2, (2, 1)),
            ),
        ),
        ({"query": "x", "fusion": "dbsf", "prefetch": {}}, Question("x", Prefetch(), None, Dbsf())),
        (
            {"query": {"fusion": "rrf"}, "prefetch": {"query": "x"}},
            Question(fusion=Rrf(), prefetch=Prefetch(query="x")),
        ),
        ({"query": [1], "exact": True}, Question([1.0], exact=True)),
        (
            {"query": [[1, 0], [0.5, 2]], "using": "tokens", "prefetch": {"query": "x"}},
            Question(MultiVector([[1, 0], [0.5, 2]]), Prefetch(query="x"), "tokens"),
        ),
    ],
)
def test_json_means_what_python_means(written, meant):
    found = parse_question(json.loads(json.dumps(written)))
    assert found.root == meant.root
    for name in ("limit", "offset", "group_by", "group_size", "explain", "exact"):
        assert getattr(found, name) == getattr(meant, name)


def nested(levels):
    return {} if not levels else {"prefetch": nested(levels - 1)}


@pytest.mark.parametrize(
    ("written", "message", "field"),
    [
        ([], "a query must be an object", None),
        ({"qeury": "x"}, "the unknown field 'qeury'", None),
        ({}, "nothing to look for", "query"),
        ({"query": ""}, "query must be a text of 1 to", "query"),
        ({"query": []}, "query must be a list of 1 to", "query"),
        ({"query": [1, "2"]}, r"query\[1\] must be a number", "query"),
        ({"query": [10**400]}, r"query\[0\] must be a finite number", "query"),
        ({"query": [True]}, r"query\[0\] must be a number", "query"),
        ({"query": [[1, 2], [3]]}, "query: ", "query"),
        ({"query": [[1], ["a"]]}, r"query\[1\]\[0\] must be a number", "query"),
        ({"query": [[1], 2]}, r"query\[1\] must be a list", "query"),
        ({"query": {"lexical": {"text": "x", "prefix": 1}}}, r"query.lexical.prefix must", "query"),
        (
            {"query": {"lexical": {"text": "x", "match": "no"}}},
            "query.lexical: match must",
            "query",
        ),
        ({"query": {"indices": [-1], "values": [1]}}, "query: a sparse vector has", "query"),
        ({"query": {"indices": [1]}}, "query.values must be a list", "query"),
        ({"query": {"similar_to": 1.5}}, "query.similar_to must be the id", "query"),
        ({"query": "x", "limit": 10**9}, "limit must be a whole number from 1", "limit"),
        ({"query": "x", "limit": 90, "offset": 20}, "limit and offset ask for 110", "limit"),
        ({"query": "x", "group_by": "a..b"}, "group_by: the key", "group_by"),
        ({"query": "x", "using": "63"}, "using: using must be a slice", "using"),
        ({"query": "x", "fusion": "rff"}, "fusion: fusion must be", "fusion"),
        ({"query": "x", "fusion": {"rrf": {"k": "2"}}}, "fusion.rrf.k must be", "fusion"),
        ({"query": "x", "fusion": "rrf"}, "a fusion needs prefetches", None),
        (
            {"query": {"fusion": "rrf"}, "fusion": "rrf", "prefetch": {}},
            "names a fusion already",
            "fusion",
        ),
        ({"query": "x", "prefetch": [{"limit": 0}]}, r"^prefetch\[0\].limit must be", "prefetch"),
        (
            {
                "query": "x",
                "prefetch": [{}, {"filter": GTE}],
            },
            r"^prefetch\[1\].filter.must\[0\].range.gte must be",
            "prefetch",
        ),
        ({"query": "x", "prefetch": [{"offset": 1}]}, r"prefetch\[0\] has the unknown", "prefetch"),
        ({"query": "x", "prefetch": [{}] * 65}, "a list of at most 64", "prefetch"),
        (
            {"query": "x", "prefetch": [{"prefetch": [{}] * 32}] * 2},
            "at most 64 stages",
            "prefetch",
        ),
        ({"query": "x"} | nested(20), "nested deeper than 16", "prefetch"),
        ({"query": "x", "exact": True, "offset": 1}, "an exact search takes", None),
        ({"query": {"lexical": "x"}, "exact": True}, "takes a text or a vector", None),
    ],
)
def test_the_fault_and_its_field_are_named(written, message, field):
    with pytest.raises(QuestionError, match=message) as raised:
        parse_question(written, most=100)
    assert raised.value.field == field


def test_a_path_may_start_elsewhere():
    with pytest.raises(QuestionError, match=r"^--query\.prefetch\.limit must be"):
        parse_question({"prefetch": {"limit": "x"}}, "--query")


NAMES = st.sampled_from(
    ["query", "prefetch", "using", "fusion", "limit", "filter", "rrf", "lexical", "indices", "must"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["rrf", "8x1", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(VALUES)
def test_any_value_is_a_query_or_a_sentence(value):
    try:
        found = parse_question(value)
    except QuestionError as error:
        assert "\n" not in str(error)
    else:
        assert found.root.depth <= MAX_NODES


@pytest.mark.parametrize(
    ("question", "embeds"),
    [
        (Question("x"), True),
        (Question("x", using="lexical"), False),
        (Question(Lexical("x")), False),
        (Question([1.0]), False),
        (Question("x", Prefetch(using="lexical"), fusion="rrf"), False),
        (Question("x", [Prefetch(using="lexical"), Prefetch()], fusion="rrf"), True),
        (Question("x", Prefetch(query=[1.0]), using="lexical"), False),
        (Question(Lexical("x"), Prefetch(), using=(64, 4)), True),
    ],
)
def test_which_queries_need_a_model(question, embeds):
    assert question.embeds == embeds
