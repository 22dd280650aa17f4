"""Real servers, each a process of its own on a free port."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from edge_mrl import Encoder, Index

TEXTS = {
    "gzip": "Compress a file with gzip.",
    "heron": "The heron waits in the reeds.",
    "owl": "A tawny owl calls at night.",
    "tar": "Pack a folder into a tar archive.",
}
_MAIN = "import sys; from edge_mrl.cli.main import main; sys.exit(main(sys.argv[1:]))"


class Server:
    """One running `edge-mrl serve`."""

    def __init__(self, arguments, environment=None):
        self.process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, "serve", *map(str, arguments), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | (environment or {}),
        )
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise AssertionError(self.process.stderr.read())
        self.ready = json.loads(line)
        self.address = self.ready["address"]
        parts = urlsplit(self.address)
        self.host, self.port = parts.hostname, parts.port

    def connect(self):
        return contextlib.closing(http.client.HTTPConnection(self.host, self.port, timeout=20))

    def ask(self, path, document=None, *, headers=None, method=None, body=None):
        """Status, headers and parsed body of one request."""
        if document is not None:
            body = json.dumps(document).encode()
        sent = {} if body is None else {"Content-Type": "application/json"}
        with self.connect() as connection:
            connection.request(
                method or ("GET" if body is None else "POST"), path, body, sent | (headers or {})
            )
            answer = connection.getresponse()
            return answer.status, answer.headers, json.loads(answer.read())

    def error(self, path, document=None, **options):
        """Status and error of a request that is refused."""
        status, _, found = self.ask(path, document, **options)
        assert set(found) == {"error"}
        assert set(found["error"]) == {"message", "type", "param", "code"}
        return status, found["error"]

    def stop(self):
        """End it as a supervisor does; its exit code and what it wrote to standard error."""
        self.process.terminate()
        try:
            _, errors = self.process.communicate(timeout=20)
        finally:
            self.process.kill()
            self.process.wait()
        return self.process.returncode, errors


@pytest.fixture(scope="session")
def encoder(static_bundle):
    return Encoder.load(static_bundle)


def make_index(place, encoder, texts=TEXTS):
    with Index.open(place, encoder) as index:
        index.add(list(texts.values()), ids=list(texts), metadata=[{"n": 1} for _ in texts])
    return place


@pytest.fixture(scope="session")
def documents(encoder, tmp_path_factory):
    """An index file. Not to be changed."""
    return make_index(tmp_path_factory.mktemp("served") / "i.db", encoder)


@pytest.fixture
def start():
    """Starts servers: (*arguments, environment=None); ends them after the test."""
    running = []

    def begin(*arguments, environment=None):
        running.append(Server(arguments, environment))
        return running[-1]

    yield begin
    for server in running:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="session")
def server(static_bundle, documents):
    """One server for all tests that only ask."""
    one = Server([static_bundle, "--index", documents, "--port", 0, "--model-name", "words"])
    yield one
    code, errors = one.stop()
    assert (code, errors) == (0, "")
