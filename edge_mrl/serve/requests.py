"""From a request's body to what is asked. Pure.

Field by field as in OpenAI's reference of `POST /v1/embeddings`; a search is read by
`retrieval.question_parser`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from edge_mrl.errors import InputError
from edge_mrl.retrieval import Question, QuestionError, parse_question
from edge_mrl.schema import Table, load_json
from edge_mrl.serve.http_error import HttpError, about
from edge_mrl.slices import MAX_DIM, check_trained

MAX_INPUTS = 2048
"""Texts in one request, as in OpenAI's API."""

MAX_CHARACTERS = 1 << 17
"""Of one text, some thirty pages: a tokenizer takes up to 1.3 kB of memory for each."""

MAX_HITS = 10_000
"""Documents that any stage of a search may hand on."""

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


def parse_json(body: bytes) -> object:
    """The values in a body.

    Raises:
        HttpError: 400, it is not JSON; 413, a text in it is too long.
    """
    try:
        found = load_json(body)
    except ValueError as error:
        raise HttpError(400, f"the body is not JSON ({error}): send one JSON object") from error
    if len(body) > MAX_CHARACTERS:
        _refuse_long_texts(found)
    return found


def _refuse_long_texts(document: object) -> None:
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and len(value) > MAX_CHARACTERS:
            raise HttpError(
                413,
                f"the body holds a text of {len(value)} characters: send at most {MAX_CHARACTERS} "
                "as one text",
                code="request_too_large",
            )
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def parse_embeddings(body: bytes, model: ServedModel) -> EmbeddingsRequest:
    """Read a request for embeddings.

    Raises:
        HttpError: 400, a field is missing, unknown or wrong; 404, the model is another one.
    """
    with about(None):
        table = Table(parse_json(body), "the request", InputError)
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


def parse_search(body: bytes) -> Question:
    """Read a search, whole: see `retrieval.question_parser`.

    Raises:
        HttpError: 400, a field is missing, unknown or wrong.
    """
    try:
        return parse_question(parse_json(body), most=MAX_HITS)
    except QuestionError as error:
        raise HttpError(400, str(error), param=error.field) from error


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
