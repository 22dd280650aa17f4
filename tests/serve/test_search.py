"""The endpoint, the command and Python give the same hits and scores for the same query."""

import json

import pytest

from edge_mrl import Index
from edge_mrl.cli.main import main
from edge_mrl.retrieval import SparseVector, parse_question
from tests.serve.conftest import TEXTS, Server

MORE = {
    "kingfisher": "The kingfisher dives for fish.",
    "zip": "Unpack an archive with unzip.",
    7: "Bread bakes in the oven at night.",
}
KINDS = {"gzip": "tool", "tar": "tool", "zip": "tool", 7: "food"}


@pytest.fixture(scope="module")
def place(encoder, static_bundle, tmp_path_factory):
    texts = TEXTS | MORE
    path = tmp_path_factory.mktemp("search") / "i.db"
    with Index.open(path, encoder) as index:
        index.create_lexical_index()
        index.add(
            list(texts.values()),
            ids=list(texts),
            metadata=[{"kind": KINDS.get(id_, "bird")} for id_ in texts],
            sparse=[SparseVector([n, 50], [1.5, n + 1]) for n, _ in enumerate(texts)],
        )
        index.remember_bundle(static_bundle)
    return path


@pytest.fixture(scope="module")
def searching(static_bundle, place):
    one = Server([static_bundle, "--index", place, "--port", 0])
    yield one
    assert one.stop() == (0, "")


FILTER = {"must_not": [{"key": "kind", "match": {"value": "tool"}}]}
SPARSE = {"indices": [2, 50], "values": [1, 0.25]}
QUERIES = {
    "text": {"query": "a bird at night"},
    "filter": {"query": "a bird at night", "filter": FILTER, "limit": 2, "offset": 1},
    "slice": {"query": "a bird at night", "using": "64x4"},
    "threshold": {"query": "a bird at night", "score_threshold": 0.2},
    "exact": {"query": "an archive", "exact": True, "limit": 3},
    "stages": {
        "query": "an archive",
        "using": [256, 8],
        "prefetch": {"using": "128x8", "limit": 4, "prefetch": {"using": "64x4", "limit": 6}},
    },
    "lexical": {"query": {"lexical": {"text": "archive wi", "prefix": True}}},
    "sparse": {"query": SPARSE},
    "rrf": {
        "query": "an archive",
        "fusion": {"rrf": {"k": 2, "weights": [1, 2, 0.5]}},
        "prefetch": [
            {"using": "64x4", "limit": 5},
            {"using": "lexical", "filter": FILTER},
            {"query": SPARSE, "using": "sparse", "limit": 3},
        ],
    },
    "dbsf": {
        "query": {"fusion": "dbsf"},
        "prefetch": [{"query": "night"}, {"query": {"lexical": "night"}}],
    },
    "groups": {"query": "a bird at night", "group_by": "kind", "group_size": 2, "limit": 2},
    "similar": {"query": {"similar_to": 7}, "limit": 3},
}


@pytest.mark.parametrize("name", QUERIES)
def test_three_ways_one_answer(searching, place, encoder, capsys, name):
    query = QUERIES[name]
    status, _, served = searching.ask("/search", query)
    assert status == 200, served
    with Index.open(place, encoder) as index:
        assert served == index.ask(parse_question(query)).as_json()
    capsys.readouterr()
    assert main(["search", str(place), "--query", json.dumps(query), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == served
    assert served["hits"] and ("groups" in served) == (name == "groups")


def test_a_search_by_vector_is_the_search_by_its_text(searching, encoder):
    vector = encoder.encode_query(["a bird at night"])[0].tolist()
    for more in ({}, {"prefetch": {"using": "64x4", "limit": 5}}):
        by_text = searching.ask("/search", {"query": "a bird at night"} | more)[2]
        by_vector = searching.ask("/search", {"query": vector} | more)[2]
        assert by_vector == by_text


def test_stages_are_explained(searching):
    query = QUERIES["stages"] | {"explain": True}
    stages = searching.ask("/search", query)[2]["stages"]
    assert [stage["name"] for stage in stages] == ["search 64x4", "rescore 128x8", "rescore 256x8"]
    assert [stage["kept"] for stage in stages] == [6, 4, 4]


@pytest.mark.parametrize(
    ("query", "message", "param"),
    [
        ({"query": "x", "prefetch": [{"limit": 0}]}, "prefetch[0].limit must be", "prefetch"),
        ({"query": "x", "prefetch": {"limit": 10_001}}, "from 1 to 10000", "prefetch"),
        ({"query": "x", "limit": 10_000, "group_by": "kind"}, "ask for 30000", "limit"),
        ({"query": "x", "filter": {"must": [{"key": 1}]}}, "filter.must[0].key must be", "filter"),
        ({"query": "x", "using": "63x8"}, "not trained for 63", "using"),
        ({"query": "x", "prefetch": {"using": "63x8"}}, "not trained for 63", "prefetch"),
        ({"query": {"similar_to": "none"}}, "no document 'none'", "query"),
        ({"query": [1, 2, 3]}, "3", "query"),
        ({"query": "x", "fusion": "rrf"}, "a fusion needs prefetches", None),
        ({"limit": 3}, "nothing to look for", "query"),
    ],
)
def test_what_cannot_be_asked_is_refused(searching, query, message, param):
    status, error = searching.error("/search", query)
    assert (status, error["param"]) == (400, param)
    assert message in error["message"]
