import pytest

from edge_mrl.errors import InputError
from edge_mrl.retrieval import (
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
    parse_filter,
)
from edge_mrl.retrieval.filters import as_dict

EVERYTHING = {
    "must": [
        {"key": "lang", "match": {"value": "en"}},
        {"key": "year", "range": {"gte": 2000, "lt": 2010.5}},
    ],
    "should": [{"key": "tags", "match": {"any": ["a", 1]}}, {"has_id": [1, "x"]}],
    "must_not": [
        {"is_empty": {"key": "a.b"}},
        {"is_null": {"key": "c[]"}},
        {"nested": {"key": "rows", "filter": {"must": [{"key": "n", "match": {"except": [3]}}]}}},
    ],
    "min_should": {"conditions": [{"must": []}], "min_count": 1},
}


def test_qdrants_dicts_become_values_and_back():
    read = parse_filter(EVERYTHING)
    assert read == Filter(
        must=(
            FieldCondition("lang", match=MatchValue("en")),
            FieldCondition("year", range=Range(gte=2000, lt=2010.5)),
        ),
        should=(FieldCondition("tags", match=MatchAny(("a", 1))), HasId((1, "x"))),
        must_not=(
            IsEmpty("a.b"),
            IsNull("c[]"),
            Nested("rows", Filter(must=(FieldCondition("n", match=MatchExcept((3,))),))),
        ),
        min_should=MinShould((Filter(),), 1),
    )
    assert parse_filter(as_dict(read)) == read
    assert parse_filter(read) == read
    assert parse_filter(Filter(must=IsNull("a"))) == Filter(must=(IsNull("a"),))


def test_one_condition_needs_no_brackets():
    condition = {"key": "a", "match": {"value": True}}
    assert parse_filter({"must": condition}) == parse_filter({"must": [condition]})


DEEP: dict = {}
for _ in range(40):
    DEEP = {"must": [DEEP]}


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ([], r"^filter must be an object"),
        ({"most": []}, r"^filter has the unknown field 'most': known are must, should"),
        ({"key": "a", "match": {"value": 1}}, r"^filter is a condition .* as in .*must"),
        ({"must": [{"nested": {"key": "a", "filter": {"has_id": [1]}}}]}, r"filter is a condition"),
        ({"must": 5}, r"^filter\.must must be a list"),
        ({"must": ["a"]}, r"^filter\.must\[0\] must be a condition"),
        ({"must": [{"lang": "en"}]}, r"^filter\.must\[0\] must be a condition"),
        ({"must": [{"key": 5, "match": {"value": 1}}]}, r"^filter\.must\[0\]\.key must be a text"),
        ({"must": [{"key": "a..b", "match": {"value": 1}}]}, r"filter\.must\[0\]\.key: .*'a\.\.b'"),
        ({"must": [{"key": "a"}]}, r"filter\.must\[0\] must have one of match and range"),
        ({"must": [{"key": "a", "match": "en"}]}, r"filter\.must\[0\]\.match must be an object"),
        (
            {"must": [{"key": "a", "match": {"value": 1.5}}]},
            r"filter\.must\[0\]\.match\.value must be .*range",
        ),
        ({"must": [{"key": "a", "match": {"value": None}}]}, r"match\.value must be a text"),
        ({"must": [{"key": "a", "match": {"value": 2**63}}]}, r"match\.value .*64 bits"),
        ({"must": [{"key": "a", "match": {"value": "a\0"}}]}, r"match\.value .*NUL"),
        ({"must": [{"key": "a", "match": {"any": [1, True]}}]}, r"match\.any\[1\] must be"),
        ({"must": [{"key": "a", "match": {"value": 1, "any": []}}]}, r"match must have one of"),
        (
            {"should": [{"must": [{"key": "a", "range": {"gte": "x", "lt": 1}}]}]},
            r"^filter\.should\[0\]\.must\[0\]\.range must have bounds of one kind",
        ),
        ({"must": [{"key": "a", "range": {}}]}, r"range must have one of gt"),
        ({"must": [{"key": "a", "range": {"gte": [1]}}]}, r"range\.gte must be a number"),
        ({"must": [{"key": "a", "range": {"gte": float("nan")}}]}, r"range\.gte .*finite"),
        ({"must": [{"key": "a", "range": {"above": 1}}]}, r"range has the unknown field 'above'"),
        ({"must": [{"has_id": "x"}]}, r"must\[0\]\.has_id must be a list"),
        ({"must": [{"is_null": "x"}]}, r"must\[0\]\.is_null must be an object with key"),
        (
            {"must": [{"nested": {"key": "a", "filter": {"must": [1]}}}]},
            r"must\[0\]\.nested\.filter\.must\[0\]",
        ),
        ({"min_should": {"conditions": [], "min_count": -1}}, r"min_should\.min_count must be"),
        ({"must": [{"has_id": [1]}] * 600}, r"^filter has 600 conditions, the limit is 512"),
        (
            {"must": [{"nested": {"key": "a", "filter": {"should": [{"has_id": [1]}] * 300}}}] * 2},
            r"^filter has 602 conditions",
        ),
        (DEEP, r"nested deeper than 16"),
    ],
)
def test_the_path_of_what_is_wrong_is_named(wrong, path):
    with pytest.raises(InputError, match=path):
        parse_filter(wrong)
