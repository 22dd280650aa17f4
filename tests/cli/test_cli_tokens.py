"""Token vectors on the command line, with a real small transformer."""

import json

import pytest

from edge_mrl import Encoder, Index, Prefetch
from edge_mrl.cli.main import main

TEXTS = {f"d{n}": f"zip {n} files of heron pond {n * 7 % 31}" for n in range(30)}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    lines = [json.dumps({"_id": id_, "text": text}) for id_, text in TEXTS.items()]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def built(corpus, token_bundle):
    index = corpus.parent / "i.db"
    assert main([*build(index, corpus, token_bundle), "--token-vectors", "16x8"]) == 0
    return index


def build(index, corpus, bundle):
    return ["build", str(index), "--input", str(corpus), "--bundle", str(bundle)]


def answer(capsys, *arguments):
    capsys.readouterr()
    code = main([*map(str, arguments), "--json"])
    out, error = capsys.readouterr()
    return json.loads(out) if code == 0 else (code, error)


def pairs(found):
    return [(hit["id"], hit["score"]) for hit in found["hits"]]


def expected(index, bundle, query, **stages):
    with Index.open(index, Encoder.load(bundle)) as opened:
        found = opened.query(query, using="tokens", **stages).hits
        return [(hit.id, pytest.approx(hit.score)) for hit in found]


def test_a_text_is_ordered_by_tokens_as_in_python(built, token_bundle, capsys):
    found = answer(capsys, "search", built, "heron 3", "--using", "tokens", "--funnel", "dense:12")
    shortlist = Prefetch(using="dense", limit=12)
    assert pairs(found) == expected(built, token_bundle, "heron 3", prefetch=shortlist)
    whole = {"query": "heron 3", "prefetch": {"using": "dense", "limit": 12}, "using": "tokens"}
    assert pairs(answer(capsys, "search", built, "--query", json.dumps(whole))) == pairs(found)
    assert answer(capsys, "stats", built)["token_slice"] == "16x8"


def test_add_and_optimize_make_them_too(corpus, tmp_path, token_bundle, capsys):
    index, more = tmp_path / "i.db", tmp_path / "more.jsonl"
    assert main(build(index, corpus, token_bundle)) == 0
    made = answer(capsys, "optimize", index, "--token-vectors")
    assert made["documents"] == len(TEXTS)
    more.write_text(json.dumps({"_id": "new", "text": "a heron of its own"}))
    assert answer(capsys, "add", index, "--input", more)["documents"] == len(TEXTS) + 1
    found = answer(capsys, "search", index, "heron", "--using", "tokens", "-k", "50")
    assert len(found["hits"]) == len(TEXTS) + 1
    assert pairs(found) == expected(index, token_bundle, "heron", limit=50)


def test_what_a_bundle_does_not_give_leaves_no_file(corpus, tmp_path, static_bundle, capsys):
    index = tmp_path / "i.db"
    code, error = answer(capsys, *build(index, corpus, static_bundle), "--token-vectors")
    assert code == 2
    assert "gives no token vectors: export the model with --token-vectors" in error
    assert list(tmp_path.iterdir()) == []
    assert main(build(index, corpus, static_bundle)) == 0
    code, error = answer(capsys, "optimize", index, "--token-vectors")
    assert (code, error.count("\n")) == (2, 1)
    code, error = answer(capsys, "search", index, "heron", "--using", "tokens")
    assert code == 2
    assert "keeps no token vectors" in error


def test_reslice_cuts_them_without_the_model(built, token_bundle, tmp_path, capsys):
    small = tmp_path / "s.db"
    made = answer(capsys, "reslice", built, "--dim", 8, "--token-vectors", "8x4", "-o", small)
    assert made["documents"] == len(TEXTS)
    assert answer(capsys, "stats", small)["token_slice"] == "8x4"
    found = answer(capsys, "search", small, "heron 3", "--using", "tokens", "-k", 30)
    assert pairs(found) == expected(small, token_bundle, "heron 3", limit=30)
    code, error = answer(
        capsys, "reslice", built, "--dim", 8, "--token-vectors", "48x8", "-o", tmp_path / "no.db"
    )
    assert code == 2
    assert "48x8 cannot be cut from token vectors kept as 16x8" in error


@pytest.mark.parametrize(
    ("slice_", "message"),
    [("24x8", "trained sizes 8, 16, 48"), ("16x3", "3 bits"), ("much", "cannot read the slice")],
)
def test_a_slice_that_cannot_be_leaves_no_file(
    corpus, tmp_path, token_bundle, capsys, slice_, message
):
    arguments = build(tmp_path / "i.db", corpus, token_bundle)
    code, error = answer(capsys, *arguments, "--token-vectors", slice_)
    assert code == 2
    assert message in error
    assert list(tmp_path.iterdir()) == []
