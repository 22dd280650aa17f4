"""A text asked by its tokens over HTTP: the same as in Python."""

import pytest

from edge_mrl import Encoder, Index, Prefetch
from tests.serve.conftest import Server

QUERY = {"query": "heron 3", "prefetch": {"using": "dense", "limit": 8}, "using": "tokens"}


def test_the_endpoint_gives_the_hits_of_python(token_bundle, tmp_path):
    with Index.open(tmp_path / "i.db", Encoder.load(token_bundle)) as index:
        index.create_token_index(slice=(16, 8))
        index.add([f"zip {n} files of heron pond {n * 7 % 31}" for n in range(20)])
        shortlist = Prefetch(using="dense", limit=8)
        expected = index.query("heron 3", prefetch=shortlist, using="tokens").hits
    server = Server([token_bundle, "--index", tmp_path / "i.db", "--port", 0])
    try:
        status, _, found = server.ask("/search", QUERY)
        assert status == 200
        assert [hit["id"] for hit in found["hits"]] == [hit.id for hit in expected]
        scores = [hit["score"] for hit in found["hits"]]
        assert scores == pytest.approx([hit.score for hit in expected])
    finally:
        assert server.stop() == (0, "")


def test_an_index_without_them_is_the_client_s_error(static_bundle, tmp_path):
    with Index.open(tmp_path / "i.db", Encoder.load(static_bundle)) as index:
        index.add(["the heron waits"])
    server = Server([static_bundle, "--index", tmp_path / "i.db", "--port", 0])
    try:
        status, error = server.error("/search", QUERY)
        assert (status, error["param"]) == (400, "query")
        assert "keeps no token vectors" in error["message"]
    finally:
        assert server.stop() == (0, "")
