"""Vectors in JSON lines: a list of numbers in each object, beside `_id`, `text`, `metadata` and
`token_vectors`, a list of such lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_mrl.errors import VectorFileError
from edge_mrl.json_lines import read_objects
from edge_mrl.retrieval.multi_vector import MultiVector
from edge_mrl.slices import FloatArray
from edge_mrl.vector_files.batch import (
    BATCH_BYTES,
    ID_NAMES,
    METADATA_NAME,
    TEXT_NAMES,
    TOKEN_NAMES,
    Columns,
    DocumentId,
    VectorBatch,
    batch_rows,
    check_rows,
    check_shape,
    choose_named,
    choose_vectors,
    token_vectors,
)


@dataclass(frozen=True, slots=True)
class _Fields:
    """Names of the fields, as the first line has them. Every line must have the same, but token
    vectors may be missing."""

    vector: str
    id: str | None
    text: str | None
    tokens: str | None


@dataclass(frozen=True, slots=True)
class _Line:
    """One line: its vector, its token vectors if it has any, the object, and its name in errors."""

    vector: FloatArray
    tokens: MultiVector | None
    document: dict[str, object]
    where: str


@dataclass(frozen=True, slots=True)
class JsonLinesFile:
    """See `VectorFile`."""

    path: Path
    columns: Columns
    fields: _Fields
    dim: int
    token_dim: int | None
    count: int | None = None

    @classmethod
    def open(cls, path: Path, columns: Columns) -> JsonLinesFile:
        """Read the first line; where it has a field for token vectors, up to the first that are
        there.

        Raises:
            VectorFileError: it is not an object with a vector, or the token vectors are none.
        """
        for number, first in read_objects(path, VectorFileError, fields="_id and vector"):
            where = f"{path}, line {number}"
            lists = [name for name, value in first.items() if _is_numbers(value)]
            vector = choose_vectors(lists, columns.vectors, where)
            fields = _Fields(
                vector,
                choose_named(list(first), columns.id, ID_NAMES, where),
                choose_named(list(first), columns.text, TEXT_NAMES, where),
                choose_named(list(first), columns.tokens, TOKEN_NAMES, where),
            )
            _, dim = check_shape(_vector(first, vector, where).shape, f"{where}: {vector}")
            return cls(path, columns, fields, dim, _token_dim(path, fields.tokens))
        raise VectorFileError(f"{path} is empty: give at least one line with a vector")

    def batches(self) -> Iterator[VectorBatch]:
        """See `VectorFile`."""
        rows = batch_rows(self.dim * 8)
        part: list[_Line] = []
        token_bytes = 0
        for number, document in read_objects(self.path, VectorFileError, fields="_id and vector"):
            where = f"{self.path}, line {number}"
            vector = _vector(document, self.fields.vector, where)
            if vector.size != self.dim:
                raise VectorFileError(
                    f"{where}: the vector has {vector.size} dimensions, the first has {self.dim}: "
                    "give all the same width"
                )
            tokens = self._tokens(document, where)
            part.append(_Line(vector, tokens, document, where))
            token_bytes += 0 if tokens is None else tokens.vectors.nbytes
            if len(part) == rows or token_bytes >= BATCH_BYTES:
                yield self._batch(part)
                part, token_bytes = [], 0
        if part:
            yield self._batch(part)

    def _tokens(self, document: dict[str, object], where: str) -> MultiVector | None:
        if self.fields.tokens is None or self.token_dim is None:
            return None
        found = document.get(self.fields.tokens)
        if found is None:
            return None
        if not isinstance(found, list):
            raise _no_tokens(self.fields.tokens, where)
        return token_vectors(found, self.token_dim, f"{where}: the {self.fields.tokens}")

    def _batch(self, part: list[_Line]) -> VectorBatch:
        ids: list[DocumentId] | None = None
        texts: list[str] | None = None
        if self.fields.id is not None:
            ids = [_id(line.document, self.fields.id, line.where) for line in part]
        if self.fields.text is not None:
            texts = [_text(line.document, self.fields.text, line.where) for line in part]
        metadata = [self._metadata(line.document, line.where) for line in part]
        raw = np.stack([line.vector for line in part])
        vectors = check_rows(raw, lambda row: f"{part[row].where}: the vector")
        tokens = None if self.token_dim is None else [line.tokens for line in part]
        return VectorBatch(vectors, ids, texts, metadata, tokens)

    def _metadata(self, document: dict[str, object], where: str) -> dict[str, object]:
        found = document.get(METADATA_NAME)
        if found is not None and not isinstance(found, dict):
            raise VectorFileError(f"{where}: the field {METADATA_NAME!r} must be an object")
        missing = [name for name in self.columns.metadata if name not in document]
        if missing:
            raise VectorFileError(f"{where}: the field {missing[0]!r} is missing")
        return (found or {}) | {name: document[name] for name in self.columns.metadata}


def _token_dim(path: Path, name: str | None) -> int | None:
    """The width of the first token vectors in a file; None where no line has any."""
    if name is None:
        return None
    for number, document in read_objects(path, VectorFileError, fields="_id and vector"):
        found = document.get(name)
        if found is None:
            continue
        where = f"{path}, line {number}"
        if not isinstance(found, list) or not found or not _is_numbers(found[0]):
            raise _no_tokens(name, where)
        return len(found[0])
    return None


def _no_tokens(name: str, where: str) -> VectorFileError:
    return VectorFileError(
        f"{where}: the field {name!r} must be a list of lists of numbers, one for each token, or "
        "null"
    )


def _is_numbers(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_number, value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _vector(document: dict[str, object], name: str, where: str) -> FloatArray:
    value = document.get(name)
    if not isinstance(value, list) or not _is_numbers(value):
        raise VectorFileError(f"{where}: the field {name!r} must be a list of numbers")
    try:
        with np.errstate(over="ignore"):
            return np.array(value, dtype=np.float32)
    except OverflowError as error:
        raise VectorFileError(f"{where}: a number is too large for float32") from error


def _id(document: dict[str, object], name: str, where: str) -> DocumentId:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise VectorFileError(f"{where}: the field {name!r} must be text or a whole number")
    return value


def _text(document: dict[str, object], name: str, where: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise VectorFileError(f"{where}: the field {name!r} must be text")
    return value
