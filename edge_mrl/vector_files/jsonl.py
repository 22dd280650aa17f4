"""Vectors in JSON lines: a list of numbers in each object, beside `_id`, `text` and `metadata`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_mrl.errors import VectorFileError
from edge_mrl.json_lines import read_objects
from edge_mrl.slices import FloatArray
from edge_mrl.vector_files.batch import (
    ID_NAMES,
    METADATA_NAME,
    TEXT_NAMES,
    Columns,
    DocumentId,
    VectorBatch,
    batch_rows,
    check_rows,
    check_shape,
    choose_named,
    choose_vectors,
)


@dataclass(frozen=True, slots=True)
class _Fields:
    """Names of the fields, as the first line has them. Every line must have the same."""

    vector: str
    id: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class JsonLinesFile:
    """See `VectorFile`."""

    path: Path
    columns: Columns
    fields: _Fields
    dim: int
    count: int | None = None

    @classmethod
    def open(cls, path: Path, columns: Columns) -> JsonLinesFile:
        """Read the first line.

        Raises:
            VectorFileError: it is not an object with a vector.
        """
        for number, first in read_objects(path, VectorFileError, fields="_id and vector"):
            where = f"{path}, line {number}"
            lists = [name for name, value in first.items() if _is_numbers(value)]
            vector = choose_vectors(lists, columns.vectors, where)
            fields = _Fields(
                vector,
                choose_named(list(first), columns.id, ID_NAMES, where),
                choose_named(list(first), columns.text, TEXT_NAMES, where),
            )
            _, dim = check_shape(_vector(first, vector, where).shape, f"{where}: {vector}")
            return cls(path, columns, fields, dim)
        raise VectorFileError(f"{path} is empty: give at least one line with a vector")

    def batches(self) -> Iterator[VectorBatch]:
        """See `VectorFile`."""
        rows = batch_rows(self.dim * 8)
        part: list[tuple[FloatArray, dict[str, object], str]] = []
        for number, document in read_objects(self.path, VectorFileError, fields="_id and vector"):
            where = f"{self.path}, line {number}"
            vector = _vector(document, self.fields.vector, where)
            if vector.size != self.dim:
                raise VectorFileError(
                    f"{where}: the vector has {vector.size} dimensions, the first has {self.dim}: "
                    "give all the same width"
                )
            part.append((vector, document, where))
            if len(part) == rows:
                yield self._batch(part)
                part = []
        if part:
            yield self._batch(part)

    def _batch(self, part: list[tuple[FloatArray, dict[str, object], str]]) -> VectorBatch:
        ids: list[DocumentId] | None = None
        texts: list[str] | None = None
        if self.fields.id is not None:
            ids = [_id(document, self.fields.id, where) for _, document, where in part]
        if self.fields.text is not None:
            texts = [_text(document, self.fields.text, where) for _, document, where in part]
        metadata = [self._metadata(document, where) for _, document, where in part]
        raw = np.stack([vector for vector, _, _ in part])
        vectors = check_rows(raw, lambda row: f"{part[row][2]}: the vector")
        return VectorBatch(vectors, ids, texts, metadata)

    def _metadata(self, document: dict[str, object], where: str) -> dict[str, object]:
        found = document.get(METADATA_NAME)
        if found is not None and not isinstance(found, dict):
            raise VectorFileError(f"{where}: the field {METADATA_NAME!r} must be an object")
        missing = [name for name in self.columns.metadata if name not in document]
        if missing:
            raise VectorFileError(f"{where}: the field {missing[0]!r} is missing")
        return (found or {}) | {name: document[name] for name in self.columns.metadata}


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
