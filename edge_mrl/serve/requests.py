"""From a request's body to what is asked. Pure.

Field by field as in OpenAI's reference of `POST /v1/embeddings`; the fields of a search have the
names that Qdrant's Query API gives them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, NoReturn, cast

from edge_mrl.errors import InputError
from edge_mrl.schema import Table
from edge_mrl.serve.http_error import HttpError, about
from edge_mrl.slices import MAX_DIM, check_trained

MAX_INPUTS = 2048
"""Texts in one request, as in OpenAI's API."""

DEFAULT_HITS = 10
MAX_HITS = 10_000

InputType = Literal["query", "document"]
Encoding = Literal["float", "base64"]


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What the server says about its model.

    Attributes:
        name: what requests call it.
        dims: sizes that `dimensions` may ask for, rising; the last is the default.
        created: seconds since 1970.
    """

    name: str
    dims: tuple[int, ...]
    created: int


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """`POST /v1/embeddings`.

    Attributes:
        texts: at least one, none empty.
        dim: size of the vectors.
        encoding: numbers in JSON, or base64 of little-endian float32.
        input_type: which of the model's prompts goes before each text; None for its default. An
            addition to OpenAI's fields.
    """

    texts: list[str]
    dim: int
    encoding: Encoding
    input_type: InputType | None


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """`POST /search`.

    Attributes:
        query: a text or a vector.
        limit: hits wanted.
        exact: compare with every stored vector.
    """

    query: str | list[float]
    limit: int
    exact: bool


def parse_object(body: bytes) -> Table:
    """The JSON object in a body.

    Raises:
        HttpError: 400, it is none.
    """
    try:
        found = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise HttpError(400, f"the body is not JSON ({error}): send one JSON object") from error
    with about(None):
        return Table(found, "the request", InputError)


def parse_embeddings(body: bytes, model: ServedModel) -> EmbeddingsRequest:
    """Read a request for embeddings.

    Raises:
        HttpError: 400, a field is missing, unknown or wrong; 404, the model is another one.
    """
    table = parse_object(body)
    with about(None):
        table.only("input", "model", "dimensions", "encoding_format", "user", "input_type")
    with about("model"):
        name = table.text("model")
    check_model(name, model)
    with about("dimensions"):
        asked = table.optional_integer("dimensions", 1, MAX_DIM)
        dim = model.dims[-1] if asked is None else check_trained(asked, model.dims)
    with about("encoding_format"):
        encoding = _one_of(table, "encoding_format", ("float", "base64")) or "float"
    with about("input_type"):
        input_type = _one_of(table, "input_type", ("query", "document"))
    with about("user"):
        table.optional_text("user")
    return EmbeddingsRequest(
        _texts(table),
        dim,
        cast("Encoding", encoding),
        cast("InputType | None", input_type),
    )


def parse_search(body: bytes) -> SearchRequest:
    """Read a search.

    Raises:
        HttpError: 400, a field is missing, unknown or wrong.
    """
    table = parse_object(body)
    with about(None):
        table.only("query", "limit", "exact")
    with about("limit"):
        limit = table.optional_integer("limit", 1, MAX_HITS) or DEFAULT_HITS
    with about("exact"):
        exact = "exact" in table and table.flag("exact")
    return SearchRequest(_query(table), limit, exact)


def check_model(name: str, model: ServedModel) -> None:
    """Whether the served model is meant.

    Raises:
        HttpError: 404, it is not.
    """
    if name != model.name:
        raise HttpError(
            404,
            f"there is no model {name[:100]!r} here: this server has {model.name!r}",
            param="model",
            code="model_not_found",
        )


def _one_of(table: Table, key: str, values: tuple[str, ...]) -> str | None:
    value = table.optional_text(key)
    if value is not None and value not in values:
        table.fail(f"the field {key!r} must be {' or '.join(values)}, not {value[:60]!r}")
    return value


def _texts(table: Table) -> list[str]:
    value = table.get("input")
    texts = [value] if isinstance(value, str) else value
    with about("input"):
        if not isinstance(texts, list):
            table.fail("the field 'input' must be a text or a list of texts")
        if not 1 <= len(texts) <= MAX_INPUTS:
            table.fail(
                f"the field 'input' has {len(texts)} texts: give 1 to {MAX_INPUTS} in a request"
            )
        for number, text in enumerate(texts):
            if isinstance(text, int | list):
                table.fail(
                    "the field 'input' holds token ids of another model's tokenizer, which mean "
                    "nothing to this one: send texts"
                )
            if not isinstance(text, str) or not text:
                table.fail(f"the field 'input' holds no text at position {number}: leave it out")
        return cast("list[str]", texts)


def _query(table: Table) -> str | list[float]:
    value = table.get("query")
    with about("query"):
        if isinstance(value, str) and value:
            return value
        numbers = isinstance(value, list) and all(
            isinstance(item, int | float) and not isinstance(item, bool) for item in value
        )
        if not numbers or not value:
            table.fail("the field 'query' must be a text or a list of numbers")
    return cast("list[float]", value)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
