"""Clients that misbehave: slow, endless, broken, too many. The others are answered all the same."""

import contextlib
import json
import re
import socket
import threading
import time

import pytest

from edge_mrl.serve.gate import Gate
from edge_mrl.serve.limits import Access, Limits

EMBED = json.dumps({"model": "words", "input": "x"}).encode()
HEAD = (
    b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n"
)


@contextlib.contextmanager
def dialled(server):
    with socket.create_connection((server.host, server.port), timeout=20) as client:
        yield client


def until_closed(client):
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts)


@contextlib.contextmanager
def served(bundle, limits):
    """A server in this process, with limits that no flag sets."""
    from types import SimpleNamespace

    import uvicorn

    from edge_mrl.serve.app import build_app
    from edge_mrl.serve.connections import guarded_protocol
    from edge_mrl.serve.engine import Engine, EngineSettings
    from edge_mrl.serve.sockets import listen_tcp
    from edge_mrl.serve.workers import Workers
    from tests.serve.conftest import Server

    pool = Workers(lambda: Engine.open(EngineSettings(bundle, None, "words")), 1)
    app = build_app(pool, pool.start().model, Access(), limits)
    config = uvicorn.Config(
        app, http=guarded_protocol(limits), ws="none", lifespan="off", log_level="error"
    )
    server = uvicorn.Server(config)
    with contextlib.closing(listen_tcp("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        handle = SimpleNamespace(host=host, port=port)
        handle.connect = lambda: Server.connect(handle)
        handle.ask = lambda *a, **b: Server.ask(handle, *a, **b)
        try:
            yield handle
        finally:
            server.should_exit = True
            thread.join(20)
            pool.stop()


def test_one_connection_is_used_again(server):
    with server.connect() as connection:
        for number in range(20):
            path = "/search" if number % 2 else "/v1/embeddings"
            body = b'{"query": "x"}' if number % 2 else EMBED
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert answer.status == 200
            answer.read()
            if not number:
                first = connection.sock
            # A refusal does not cost the connection.
            connection.request("POST", path, b"{}", {"Content-Type": "application/json"})
            assert connection.getresponse().read().startswith(b'{"error"')
        assert connection.sock is first


def test_what_is_not_http(start, static_bundle):
    server = start(static_bundle, "--port", 0)
    many = b"".join(b"X-%d: a\r\n" % number for number in range(20_000))
    for sent in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00" * 1000,
        b"POST /search HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /search HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1_000_000,
        b"GET /health HTTP/1.1\r\nHost: a\r\n" + many,
        b"\xff\xfe /\xc3\x28 HTTP/1.1\r\nHost: \xff\r\n\r\n",
    ):
        with dialled(server) as client:
            # The server may have refused and closed before all is sent.
            with contextlib.suppress(OSError):
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
            answer = until_closed(client)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), sent[:50]
        assert server.ask("/health")[0] == 200


@pytest.mark.parametrize("many", [False, True], ids=["one long", "many"])
def test_a_header_that_comes_whole_has_a_limit_too(server, many):
    lines = b"X: a\r\n" * 9000 if many else b"X: " + b"a" * 17_000 + b"\r\n"
    with dialled(server) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n")
        # As large as it is, it may come in two parts: then the parser has refused it.
        assert client.recv(100).startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))
    assert server.ask("/health")[0] == 200


def test_clients_that_leave(server):
    for keep in (0, len(HEAD) // 2, len(HEAD), len(HEAD) + 10):
        whole = (HEAD % len(EMBED)) + b"\r\n" + EMBED
        with dialled(server) as client:
            client.sendall(whole[:keep])
    with dialled(server) as client:
        # Gone before the answer.
        client.sendall(whole)
    assert server.ask("/health")[0] == 200


def test_headers_and_bodies_that_do_not_come(static_bundle, slow_server):
    """Slowloris: a byte now and then, on a new connection and on a used one."""
    server = slow_server
    with dialled(server) as new, dialled(server) as used, dialled(server) as body:
        used.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert used.recv(1000).startswith(b"HTTP/1.1 200")
        body.sendall((HEAD % 1000) + b"\r\n{")
        ended = set()
        start = time.monotonic()
        while len(ended) < 2 and time.monotonic() - start < 15:
            for client in (new, used):
                try:
                    client.sendall(b"G")
                except (BrokenPipeError, ConnectionResetError):
                    ended.add(client)
            time.sleep(0.1)
        assert ended == {new, used}
        answer = until_closed(body)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"did not come within" in answer
    assert server.ask("/health")[0] == 200


def test_connections_beyond_the_limit(slow_server):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(dialled(slow_server)) for _ in range(8)]
        extra = stack.enter_context(dialled(slow_server))
        assert until_closed(extra) == b""
        clients[0].sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert clients[0].recv(1000).startswith(b"HTTP/1.1 200")


def test_an_answer_that_nobody_takes_keeps_its_place_for_a_while_only(static_bundle):
    """The answer is handed to the system piece by piece, so that no number of clients who do not
    read fills the memory."""
    texts = json.dumps({"model": "words", "input": ["a bird in the hand"] * 2048}).encode()
    limits = Limits(concurrent=1, send_seconds=2)
    with served(static_bundle, limits) as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((server.host, server.port))
        client.sendall((HEAD % len(texts)) + b"\r\n" + texts)
        head = client.recv(1000)
        assert head.startswith(b"HTTP/1.1 200")
        declared = int(re.search(rb"content-length: (\d+)", head)[1])
        # Its answer is not taken, so it is still inside.
        assert server.ask("/search", {"query": "x"})[0] == 429
        for _ in range(300):
            time.sleep(0.1)
            status = server.ask("/v1/embeddings", {"model": "words", "input": "x"})[0]
            if status != 429:
                break
        assert status == 200
        assert len(head) + len(until_closed(client)) < declared


def test_a_large_answer_is_whole(static_bundle, encoder):
    texts = {"model": "words", "input": [f"text number {n}" for n in range(2000)]}
    with served(static_bundle, Limits()) as server:
        status, headers, found = server.ask("/v1/embeddings", texts)
    assert status == 200
    assert int(headers["content-length"]) > 2**20
    assert [row["embedding"] for row in found["data"]] == encoder.encode(texts["input"]).tolist()


@pytest.fixture
def slow_server(static_bundle):
    """A server whose limits are short."""
    limits = Limits(connections=8, header_seconds=1, body_seconds=1, idle_seconds=60)
    with served(static_bundle, limits) as server:
        yield server


def test_an_overload_answers_429_and_loses_nothing_it_took(start, static_bundle):
    server = start(
        *(static_bundle, "--port", 0, "--model-name", "words", "--max-concurrent", 2),
    )
    texts = {"model": "words", "input": ["some words of a longer text " * 20] * 1000}
    answers = []

    def ask():
        answers.append(server.ask("/v1/embeddings", texts))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 12
    taken = [found for status, _, found in answers if status == 200]
    refused = [(headers, found) for status, headers, found in answers if status == 429]
    assert len(taken) + len(refused) == 12
    assert len(taken) >= 2
    assert refused
    for found in taken:
        assert len(found["data"]) == 1000
    for headers, found in refused:
        assert headers["retry-after"] == "1"
        assert found["error"]["code"] == "rate_limit_exceeded"
    assert server.ask("/v1/embeddings", texts | {"input": "x"})[0] == 200


def test_many_at_once_within_the_limit_are_all_answered(server, encoder):
    wanted = {f"text number {n}": encoder.encode(f"text number {n}").tolist() for n in range(160)}
    wrong = []

    def ask(texts):
        with server.connect() as connection:
            for text in texts:
                body = json.dumps({"model": "words", "input": text})
                connection.request(
                    "POST", "/v1/embeddings", body, {"Content-Type": "application/json"}
                )
                answer = connection.getresponse()
                found = json.loads(answer.read())
                if answer.status != 200 or found["data"][0]["embedding"] != wanted[text]:
                    wrong.append((text, answer.status))

    texts = list(wanted)
    threads = [threading.Thread(target=ask, args=(texts[n::8],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong


def test_the_gate_counts_down_when_an_answer_fails():
    """A request that ends in an exception must not take its place for ever."""
    import asyncio

    async def broken(scope, receive, send):
        raise RuntimeError("bug")

    gate = Gate(broken, Access(), Limits(concurrent=1))
    scope = {"type": "http", "path": "/search", "headers": []}
    for _ in range(3):
        with pytest.raises(RuntimeError):
            asyncio.run(gate(scope, None, None))
