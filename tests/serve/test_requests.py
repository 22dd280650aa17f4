"""Whatever a body holds, it is a request or a refusal with a field that can be named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_mrl.serve.http_error import HttpError
from edge_mrl.serve.limits import Limits, host_of, is_loopback
from edge_mrl.serve.requests import (
    MAX_CHARACTERS,
    ServedModel,
    parse_embeddings,
    parse_search,
)

MODEL = ServedModel("m", (64, 128), 0)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
NAMES = ["input", "model", "dimensions", "encoding_format", "user", "input_type", "query", "limit"]
SEARCH = ["query", "prefetch", "using", "fusion", "limit", "offset", "filter", "exact", "group_by"]


@given(
    body=st.binary(max_size=50)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from(NAMES), VALUES).map(
        lambda fields: json.dumps({"model": "m", "input": "x"} | fields).encode()
    )
    | st.dictionaries(st.sampled_from(SEARCH), VALUES).map(
        lambda fields: json.dumps(fields).encode()
    )
)
def test_any_body(body):
    for parse in (lambda: parse_embeddings(body, MODEL), lambda: parse_search(body)):
        try:
            parsed = parse()
        except HttpError as error:
            assert error.status in (400, 404)
            assert error.param is None or error.param in [*NAMES, *SEARCH]
            assert set(json.loads(error.body())["error"]) == {"message", "type", "param", "code"}
        else:
            if hasattr(parsed, "texts"):
                assert parsed.texts
                assert all(isinstance(text, str) and text for text in parsed.texts)
                assert parsed.dim in MODEL.dims
            else:
                assert parsed.query or parsed.fusion
                assert parsed.limit >= 1


def test_null_is_as_good_as_absent():
    body = {"model": "m", "input": ["x"], "dimensions": None, "encoding_format": None}
    asked = parse_embeddings(json.dumps(body).encode(), MODEL)
    assert (asked.dim, asked.encoding, asked.input_type) == (128, "float", None)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_loopback(host, local):
    assert is_loopback(host) == local


def test_hosts_of_headers():
    assert [host_of(header) for header in ("a:1", "a", "[::1]:8", "[::1]", "a:")] == [
        *("a", "a", "::1", "::1", "a")
    ]


@pytest.mark.parametrize(
    "header", ["localhost:80 evil.example", "localhost:x", "[::1]evil.example", "[::1]:8x", "a:1:2"]
)
def test_what_follows_a_host_is_a_port_or_nothing(header):
    assert host_of(header) == header


def test_limits_that_cannot_be():
    with pytest.raises(ValueError, match="connections must be 1 or more"):
        Limits(connections=0)


def test_one_text_may_not_take_the_memory():
    """A tokenizer takes up to 1.3 kB for each character of a text."""
    model = ServedModel("words", (64,), 0)
    fits, long = "é" * MAX_CHARACTERS, "é" * (MAX_CHARACTERS + 1)
    for texts in (fits, [fits, "x"]):
        body = json.dumps({"model": "words", "input": texts}).encode()
        assert fits in parse_embeddings(body, model).texts
    for parse, document in (
        (lambda body: parse_embeddings(body, model), {"model": "words", "input": ["x", long]}),
        (parse_search, {"query": long}),
        (parse_search, {"query": "x", "prefetch": [{"prefetch": {"query": {"text": long}}}]}),
    ):
        with pytest.raises(HttpError, match="a text of 131073 characters") as refused:
            parse(json.dumps(document).encode())
        assert refused.value.status == 413
