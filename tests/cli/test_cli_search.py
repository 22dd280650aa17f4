"""`edge-mrl search` with filters, stages, fusion, groups, on a real bundle."""

import json

import numpy as np
import pytest

from edge_mrl.cli.main import main
from edge_mrl.encoder import Encoder
from edge_mrl.index import Index
from edge_mrl.retrieval import Lexical, Prefetch, Rrf, SimilarTo

TEXTS = {
    "heron": ("The heron waits in the reeds.", "bird"),
    "kingfisher": ("The kingfisher dives for fish.", "bird"),
    "gzip": ("Compress a file with gzip.", "tool"),
    7: ("Parse a date from text with strptime.", "tool"),
    "bread": ("Bake bread at home.", "food"),
}
BIRDS = '{"must": [{"key": "kind", "match": {"value": "bird"}}]}'


@pytest.fixture(scope="module")
def built(static_bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    lines = [
        json.dumps({"_id": id_, "text": text, "metadata": {"kind": kind}})
        for id_, (text, kind) in TEXTS.items()
    ]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    place = folder / "i.db"
    command = ["build", str(place), "--bundle", str(static_bundle)]
    assert main([*command, "--input", str(folder / "corpus.jsonl"), "--lexical", "porter"]) == 0
    return place


@pytest.fixture(scope="module")
def index(built, static_bundle):
    with Index.open(built, Encoder.load(static_bundle)) as index:
        yield index


def search(capsys, built, *arguments):
    capsys.readouterr()
    assert main(["search", str(built), *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def as_pairs(result):
    return [(hit.id, pytest.approx(hit.score)) for hit in result.hits]


ASKED = "fishing birds"
CASES = {
    "filter": (["--filter", BIRDS], {"filter": json.loads(BIRDS)}),
    "paging": (["-k", "2", "--offset", "1"], {"limit": 2, "offset": 1}),
    "using": (["--using", "64x4"], {"using": (64, 4)}),
    "threshold": (["--score-threshold", "0.2"], {"score_threshold": 0.2}),
    "funnel": (
        ["--funnel", "64x8:3,128x8:2"],
        {"prefetch": Prefetch((128, 8), 2, Prefetch((64, 8), 3))},
    ),
    "fusion": (
        ["--fusion", "dbsf"],
        {
            "prefetch": [Prefetch(using="dense", limit=100), Prefetch(using="lexical", limit=100)],
            "fusion": "dbsf",
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_command_answers_as_python_does(built, index, capsys, case):
    flags, options = CASES[case]
    out = search(capsys, built, ASKED, *flags)
    found = index.query(ASKED, **options)
    assert [(hit["id"], hit["score"]) for hit in out["hits"]] == as_pairs(found) and found.hits


def test_words_alone_need_no_model(built, index, capsys, monkeypatch):
    monkeypatch.setattr("edge_mrl.cli.search.load_encoder_for", None)
    out = search(capsys, built, "fishing", "--using", "lexical")
    assert [(h["id"], h["score"]) for h in out["hits"]] == as_pairs(index.query(Lexical("fishing")))
    for asked, id_ in (("heron", "heron"), ("7", 7)):
        out = search(capsys, built, "--similar-to", asked)
        assert [h["id"] for h in out["hits"]] == [h.id for h in index.query(SimilarTo(id_)).hits]


def test_groups_and_stages_are_shown(built, capsys):
    flags = ["--group-by", "kind", "--explain", "--funnel", "64x8:4"]
    out = search(capsys, built, ASKED, *flags)
    assert out["groups"][0]["value"] == "bird"
    assert {hit["id"] for hit in out["groups"][0]["hits"]} == {"heron", "kingfisher"}
    assert [stage["name"] for stage in out["stages"]] == ["search 64x8", "rescore 256x8"]
    assert out["stages"][0]["documents"] == 5 and out["stages"][1]["documents"] == 4
    assert main(["search", str(built), ASKED, *flags]) == 0
    printed = capsys.readouterr().out
    assert "bird\n  0." in printed and "rescore 256x8" in printed and "from file" in printed
    assert "moved: of the ten best places" in printed


def test_a_person_sees_lines_cut_to_the_terminal_and_that_nothing_was_found(
    built, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "30")
    capsys.readouterr()
    assert main(["search", str(built), "bread at home", "-k", "2"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split("  ")[1:] == ["bread", "Bake bread a ..."] and len(second) <= 30
    nobody = '{"must": [{"key": "kind", "match": {"value": "fish"}}]}'
    assert main(["search", str(built), "bread", "--filter", nobody]) == 0
    assert capsys.readouterr().out == "no document was found\n"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--filter", "{must}"], "--filter is not JSON"),
        (["--filter", '{"must": [{"key": 1}]}'], "--filter.must[0].key must be a text"),
        (["--filter", '{"must": 1}'], "--filter.must must be a list"),
        (["--filter", "none.json"], "--filter: cannot read none.json"),
        (["--sparse", "{}"], "give one thing that is searched for"),
        (["--using", "63x8"], "not trained for 63"),
        (["--using", "bm25"], "using must be a slice"),
        (["--funnel", "64x8"], "--funnel: cannot read '64x8'"),
        (["--funnel", "64x8:3,x:2"], "cannot read the slice 'x'"),
        (["--offset", "-1"], "offset must be"),
        (["--exact", "--fusion", "rrf"], "--exact and --fusion do not go together"),
        (["--similar-to", "heron"], "give one thing that is searched for"),
    ],
)
def test_wrong_flags_get_a_sentence(built, capsys, flags, message):
    assert main(["search", str(built), ASKED, *flags]) == 2
    assert message in capsys.readouterr().err


TREE = {
    "query": ASKED,
    "prefetch": [{"using": "64x8", "limit": 4}, {"using": "lexical", "limit": 4}],
    "fusion": {"rrf": {"k": 2}},
    "limit": 3,
}


def test_a_whole_query_as_json_in_place_and_in_a_file(built, index, capsys, tmp_path):
    branches = [Prefetch((64, 8), 4), Prefetch(using="lexical", limit=4)]
    found = index.query(ASKED, prefetch=branches, fusion=Rrf(k=2), limit=3)
    (tmp_path / "query.json").write_text(json.dumps(TREE))
    for written in (json.dumps(TREE), str(tmp_path / "query.json")):
        out = search(capsys, built, "--query", written, "--explain")
        assert [(hit["id"], hit["score"]) for hit in out["hits"]] == as_pairs(found)
        assert out["stages"][-1]["name"] == "rrf k=2"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--query", "{"], "--query is not JSON"),
        (["--query", '{"prefetch": [{"limit": 0}]}'], "--query.prefetch[0].limit must be"),
        (["--query", '{"limit": 3}'], "--query: there is nothing to look for"),
        (["--query", json.dumps(TREE), "-k", "3"], "--query and -k do not go together"),
        (["--query", json.dumps(TREE), "--offset", "3"], "--query and --offset do not go"),
        (["--sparse", '{"indices": [1, 1], "values": [1, 2]}'], "--sparse: a sparse vector has"),
        (["--sparse", "[1]"], "--sparse: cannot read [1]"),
    ],
)
def test_wrong_json_gets_a_sentence(built, capsys, flags, message):
    assert main(["search", str(built), *flags]) == 2
    assert message in capsys.readouterr().err


def test_optimize_makes_indexes(built, capsys):
    assert main(["optimize", str(built), "--payload-index", "kind", "--lexical", "unicode61"]) == 0
    with Index.open(built) as index:
        assert (index.payload_indexes, index.lexical_index) == (("kind",), "unicode61")
        index.create_lexical_index("porter")


def test_token_vectors_order_what_is_like_a_document(tmp_path, capsys):
    place = tmp_path / "t.db"
    tokens = [np.eye(4)[rows] for rows in ([0, 1], [1, 2], [0, 1, 3], [3])]
    with Index.create(place, dim=4, matryoshka_dims=[4], identity="i") as index:
        index.create_token_index(4)
        index.add(vectors=np.ones((4, 4)), token_vectors=tokens)
    out = search(capsys, place, "--similar-to", "1", "--using", "tokens", "--explain")
    assert [(hit["id"], hit["score"]) for hit in out["hits"]] == [(3, 2.0), (2, 1.0), (4, 0.0)]
    assert out["stages"][-1]["name"] == "tokens"
    assert main(["stats", str(place)]) == 0
    assert "token vectors 4x8" in capsys.readouterr().out
    assert main(["stats", str(place), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["token_slice"] == "4x8"
    assert main(["search", str(place), "--vector", "[1, 1, 1, 1]", "--using", "tokens"]) == 2
    assert "needs token vectors to ask" in capsys.readouterr().err


def test_a_document_that_is_not_there_is_named(built, capsys):
    assert main(["search", str(built), "--similar-to", "nobody"]) == 2
    assert "no document 'nobody'" in capsys.readouterr().err
