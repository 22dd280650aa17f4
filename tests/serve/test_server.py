"""The server as a client sees it: answers, refusals, the life of the process."""

import signal
import socket
import stat
import threading
import time

import pytest

from edge_mrl import Index
from edge_mrl.cli.main import main
from tests.serve.conftest import TEXTS, make_index

EMBED = {"model": "words", "input": "x"}


TOKEN = "0123456789abcdef0123456789abcdef"


def test_search_gives_the_hits_of_the_index(server, encoder, documents):
    status, headers, found = server.ask("/search", {"query": "a bird", "limit": 2})
    assert (status, headers["content-type"]) == (200, "application/json")
    with Index.open(documents, encoder) as index:
        hits = index.search("a bird", 2)
        assert found == {"hits": [hit.as_json() for hit in hits]}
        vector = encoder.encode_query("a bird").tolist()
        for extra in ({}, {"exact": True}):
            _, _, by_vector = server.ask("/search", {"query": vector, "limit": 2} | extra)
            assert [hit["id"] for hit in by_vector["hits"]] == [hit.id for hit in hits]


def test_metadata_that_utf8_cannot_hold(start, static_bundle, encoder, tmp_path):
    with Index.open(tmp_path / "i.db", encoder) as index:
        index.add(["A bird."], metadata=[{"half": "\ud83d", "whole": "🐦"}])
    one = start(static_bundle, "--index", tmp_path / "i.db", "--port", 0)
    (hit,) = one.ask("/search", {"query": "a bird"})[2]["hits"]
    assert hit["metadata"] == {"half": "\ud83d", "whole": "🐦"}


def test_health_and_models(server):
    assert server.ask("/health")[2] == {"status": "ok"}
    (model,) = server.ask("/v1/models")[2]["data"]
    assert model["matryoshka_dims"] == [64, 128, 256]
    assert server.ready["matryoshka_dims"] == [64, 128, 256]


@pytest.mark.parametrize(
    ("change", "param", "words"),
    [
        ({"dimensions": 0}, "dimensions", "from 1 to"),
        ({"dimensions": "64"}, "dimensions", "'64'"),
        ({"dimensions": 64.0}, "dimensions", "whole number"),
        ({"dimensions": True}, "dimensions", "whole number"),
        ({"dimensions": 100}, "dimensions", "64, 128, 256"),
        ({"encoding_format": "int8"}, "encoding_format", "float or base64"),
        ({"encoding_format": 3}, "encoding_format", "text"),
        ({"input_type": "poem"}, "input_type", "query or document"),
        ({"input": ""}, "input", "position 0"),
        ({"input": []}, "input", "1 to 2048"),
        ({"input": ["x"] * 2049}, "input", "1 to 2048"),
        ({"input": ["x", ""]}, "input", "position 1"),
        ({"input": ["x", None]}, "input", "position 1"),
        ({"input": None}, "input", "a text or a list"),
        ({"input": {"a": 1}}, "input", "a text or a list"),
        ({"input": [1, 2]}, "input", "send texts"),
        ({"input": [[1, 2]]}, "input", "send texts"),
        ({"input": "\ud800"}, "input", "surrogate"),
        ({"model": 3}, "model", "text"),
        ({"inputs": "x"}, None, "unknown field 'inputs'"),
    ],
)
def test_embeddings_that_cannot_be(server, change, param, words):
    status, error = server.error("/v1/embeddings", EMBED | change)
    assert (status, error["param"], error["type"]) == (400, param, "invalid_request_error")
    assert words in error["message"]


@pytest.mark.parametrize(
    ("change", "param", "words"),
    [
        ({"query": ""}, "query", "a text of 1 to"),
        ({"query": []}, "query", "a list of 1 to"),
        ({"query": [1, "2"]}, "query", "query[1] must be a number"),
        ({"query": [1, 2]}, "query", "2 dimensions do not fit"),
        ({"query": [0] * 256}, "query", "no direction"),
        ({"query": [10**400] * 256}, "query", "finite"),
        ({"query": "\ud800"}, "query", "surrogate"),
        ({"limit": 0}, "limit", "from 1 to"),
        ({"limit": 10**9}, "limit", "from 1 to"),
        ({"limit": "3"}, "limit", "'3'"),
        ({"exact": "no"}, "exact", "true or false"),
        ({"k": 3}, None, "unknown field 'k'"),
    ],
)
def test_searches_that_cannot_be(server, change, param, words):
    status, error = server.error("/search", {"query": "x"} | change)
    assert (status, error["param"]) == (400, param)
    assert words in error["message"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"input": NaN, "model": "words"}'],
)
@pytest.mark.parametrize("path", ["/v1/embeddings", "/search"])
def test_bodies_that_are_not_a_json_object(server, path, body):
    status, error = server.error(path, body=body)
    assert status == 400
    assert any(word in error["message"] for word in ("JSON", "table", "object"))


def test_a_body_of_50_mb(server):
    status, error = server.error("/v1/embeddings", body=b" " * 50_000_000)
    assert (status, error["code"]) == (413, "request_too_large")

    def parts():
        for _ in range(50):
            yield b" " * 1_000_000

    # Sent in chunks, since nobody says how long it is.
    status, error = server.error("/search", body=parts(), method="POST")
    assert status == 413
    assert server.ask("/health")[0] == 200


def test_paths_methods_and_types(server):
    assert server.error("/v1/nope")[0] == 404
    assert server.error("/v1/embeddings")[0] == 405
    assert server.error("/search", body=b"{}", headers={"Content-Type": "text/plain"})[0] == 415


def test_a_page_with_another_name_is_refused(server):
    """DNS rebinding: the page's own name was pointed at 127.0.0.1."""
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example"):
        assert server.error("/search", {"query": "x"}, headers={"Host": host})[0] == 403
    for host in ("localhost:1", "[::1]:1", "127.0.0.1"):
        assert server.ask("/search", {"query": "x"}, headers={"Host": host})[0] == 200


def test_new_documents_and_a_new_file_are_seen(start, static_bundle, encoder, tmp_path):
    place = make_index(tmp_path / "i.db", encoder)
    one = start(static_bundle, "--index", place, "--port", 0, "--workers", 2)

    def best(query):
        asked = [one.ask("/search", {"query": query, "limit": 1})[2] for _ in range(4)]
        (found,) = {answer["hits"][0]["id"] for answer in asked}
        return found

    def put(new):
        """As `edge-mrl build --overwrite` does it."""
        for suffix in ("-wal", "-shm"):
            place.with_name(place.name + suffix).unlink(missing_ok=True)
        new.replace(place)

    assert best("a kettle") != "kettle"
    with Index.open(place, encoder) as index:
        index.add(["Descale the kettle."], ids=["kettle"])
    assert best("a kettle") == "kettle"
    put(make_index(tmp_path / "other.db", encoder, {"pump": "Bleed the pump."}))
    assert best("a kettle") == "pump"
    (tmp_path / "bad.db").write_bytes(b"no index at all" * 100)
    put(tmp_path / "bad.db")
    status, error = one.error("/search", {"query": "x"})
    assert (status, error["code"]) == (503, "index_unavailable")
    assert "not an index file" in error["message"]
    put(make_index(tmp_path / "again.db", encoder))
    assert best("a bird") in TEXTS
    place.unlink()
    assert best("a bird") in TEXTS
    assert one.stop() == (0, "")


def test_a_token(start, static_bundle, tmp_path):
    (tmp_path / "token").write_text(TOKEN + "\n")
    one = start(
        *(static_bundle, "--port", 0, "--host", "0.0.0.0"),
        *("--token-file", tmp_path / "token", "--model-name", "words"),
    )
    assert one.ask("/health")[0] == 200
    for value in (None, "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer é"):
        headers = {} if value is None else {"Authorization": value.encode()}
        status, error = one.error("/v1/embeddings", EMBED, headers=headers)
        assert (status, error["code"]) == (401, "invalid_api_key")
    right = {"Authorization": f"Bearer {TOKEN}", "Host": "board.example"}
    assert one.ask("/v1/embeddings", EMBED, headers=right)[0] == 200


def test_a_token_from_the_environment(start, static_bundle):
    one = start(static_bundle, "--port", 0, environment={"EDGE_MRL_TOKEN": TOKEN})
    assert one.error("/v1/models")[0] == 401


def test_a_unix_socket(start, static_bundle, tmp_path):
    place = tmp_path / "s"
    # One that a killed server left behind.
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place))
    one = start(static_bundle, "--socket", place)
    assert one.address == f"unix:{place}"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(place))
        client.sendall(b"GET /health HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n")
        client.settimeout(20)
        answer = b"".join(iter(lambda: client.recv(1000), b""))
    assert answer.endswith(b'{"status":"ok"}')
    assert main(["serve", str(static_bundle), "--socket", str(place)]) == 2
    assert one.stop() == (0, "")
    assert not place.exists()


def test_without_a_model_it_searches_by_vector(start, documents):
    one = start("--index", documents, "--port", 0)
    found = one.ask("/search", {"query": [1.0] * 256, "limit": 1})[2]
    assert found["hits"][0]["id"] in TEXTS
    assert one.error("/search", {"query": "words"})[0] == 400
    assert one.error("/v1/embeddings", EMBED)[0] == 404
    assert one.ask("/v1/models")[2]["data"] == []


def test_a_smaller_size(start, static_bundle):
    one = start(static_bundle, "--dim", 128, "--port", 0, "--model-name", "words")
    data = one.ask("/v1/embeddings", EMBED)[2]["data"]
    assert len(data[0]["embedding"]) == 128
    status, error = one.error("/v1/embeddings", EMBED | {"dimensions": 256})
    assert (status, error["param"]) == (400, "dimensions")
    assert one.error("/search", {"query": "x"})[0] == 404


def test_web_pages_that_were_named_may_ask(start, static_bundle):
    origin = "https://app.example"
    one = start(static_bundle, "--port", 0, "--allow-origin", origin, "--model-name", "words")
    _, headers, _ = one.ask("/v1/embeddings", EMBED, headers={"Origin": origin})
    assert headers["access-control-allow-origin"] == origin
    with one.connect() as connection:
        asked = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,authorization",
        }
        connection.request("OPTIONS", "/v1/embeddings", headers=asked)
        assert connection.getresponse().status == 200
    _, headers, _ = one.ask("/v1/embeddings", EMBED, headers={"Origin": "https://evil.example"})
    assert headers["access-control-allow-origin"] is None


def test_being_asked_to_stop_again_and_again_is_no_failure(start, static_bundle):
    one = start(static_bundle, "--port", 0)
    assert one.ask("/health")[0] == 200
    while one.process.poll() is None:
        one.process.terminate()
        time.sleep(0.001)
    assert one.stop() == (0, "")


def test_running_requests_end_before_the_server_does(start, static_bundle):
    one = start(static_bundle, "--port", 0, "--model-name", "words", "--max-concurrent", 1)
    texts = ["some words of a longer text " * 40] * 2000
    answers = []

    def ask():
        answers.append(one.ask("/v1/embeddings", EMBED | {"input": texts})[0])

    with one.connect() as connection:
        connection.request("GET", "/health")
        connection.getresponse().read()
        asking = threading.Thread(target=ask)
        asking.start()
        # Until the server has taken it: nobody else is let in then.
        while one.ask("/v1/models")[0] != 429 and not answers:
            pass
        one.process.send_signal(signal.SIGINT)
        asking.join(20)
    assert answers == [200]
    assert one.stop() == (0, "")
