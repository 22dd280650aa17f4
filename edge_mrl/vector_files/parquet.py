"""Vectors in a Parquet file: a column of lists of numbers, beside columns of ids, texts and
metadata. Needs pyarrow, which is imported when such a file is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import ExtraMissingError, VectorFileError
from edge_mrl.schema import load_json
from edge_mrl.slices import MAX_DIM
from edge_mrl.vector_files.batch import (
    ID_NAMES,
    METADATA_NAME,
    TEXT_NAMES,
    Columns,
    Place,
    VectorBatch,
    batch_rows,
    check_rows,
    check_shape,
    choose_named,
    choose_vectors,
    numbered,
)

READ_BUFFER_BYTES = 2**20
"""Column chunks are read through a buffer of this size: a row group may be larger than memory."""


@dataclass(frozen=True, slots=True)
class _Names:
    """Columns that are read."""

    vectors: str
    id: str | None
    text: str | None
    object: str | None
    extra: tuple[str, ...]

    def all(self) -> list[str]:
        """Each of them once."""
        named = (self.vectors, self.id, self.text, self.object, *self.extra)
        return list(dict.fromkeys(name for name in named if name is not None))


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """See `VectorFile`."""

    path: Path
    count: int
    dim: int
    names: _Names
    token_dim: None = None

    @classmethod
    def open(cls, path: Path, columns: Columns) -> ParquetFile:
        """Read the footer, and the first row for the width.

        Raises:
            VectorFileError: it is not a Parquet file, or has no column of vectors.
            ExtraMissingError: pyarrow is not installed.
        """
        arrow = _pyarrow()
        with _explained(path, arrow), _opened(path, arrow) as file:
            schema, count = file.schema_arrow, file.metadata.num_rows
            if not count:
                raise VectorFileError(f"{path} is empty: give at least one vector")
            names = _choose(schema, columns, arrow, str(path))
            _refuse_bombs(file.metadata, names.vectors, str(path))
            (first,) = next(file.iter_batches(1, columns=[names.vectors])).columns
            if first.null_count:
                raise VectorFileError(f"{path}: vector 0 (counted from 0) is null: leave it out")
            values = first.flatten()
        _, dim = check_shape((1, len(values)), f"{path}: {names.vectors}")
        return cls(path, count, dim, names)

    def batches(self) -> Iterator[VectorBatch]:
        """See `VectorFile`."""
        arrow = _pyarrow()
        first = 0
        with _explained(self.path, arrow), _opened(self.path, arrow) as file:
            for part in file.iter_batches(batch_rows(self.dim * 8), columns=self.names.all()):
                yield self._batch(part, first)
                first += part.num_rows
        if first != self.count:
            raise VectorFileError(
                f"{self.path} declares {self.count} rows but holds {first}: it is damaged"
            )

    def _batch(self, part: Any, first: int) -> VectorBatch:
        names = self.names

        def column(name: str) -> list[Any]:
            values = part.column(name)
            if values.null_count:
                row = first + int(np.flatnonzero(values.is_null().to_numpy(False))[0])
                raise VectorFileError(
                    f"{self.path}: {name} is null in row {row} (counted from 0): fill it or leave "
                    "the row out"
                )
            listed: list[Any] = values.to_pylist()
            return listed

        place = numbered(self.path, first)
        vectors = _matrix(part.column(names.vectors), self.dim, place)
        ids = None if names.id is None else column(names.id)
        texts = None if names.text is None else column(names.text)
        metadata = None
        if names.object is not None or names.extra:
            objects = [None] * part.num_rows
            if names.object is not None:
                objects = part.column(names.object).to_pylist()
            extra = {name: part.column(name).to_pylist() for name in names.extra}
            metadata = [
                _plain(_object(value, f"{self.path}: {names.object} of row {first + row}"))
                | {name: _plain(values[row]) for name, values in extra.items()}
                for row, value in enumerate(objects)
            ]
        return VectorBatch(check_rows(vectors, place), ids, texts, metadata)


def _pyarrow() -> ModuleType:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ExtraMissingError(
            "reading Parquet needs pyarrow, which is not installed: run "
            "`pip install 'edge-mrl[parquet]'`"
        ) from error
    module: ModuleType = pyarrow
    return module


def _opened(path: Path, arrow: ModuleType) -> Any:
    return arrow.parquet.ParquetFile(path, buffer_size=READ_BUFFER_BYTES, pre_buffer=False)


@contextmanager
def _explained(path: Path, arrow: ModuleType) -> Iterator[None]:
    try:
        yield
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise VectorFileError(
            f"{path} cannot be read as Parquet ({reason}): it is damaged or was cut off"
        ) from error


def _choose(schema: Any, columns: Columns, arrow: ModuleType, where: str) -> _Names:
    types = arrow.types
    kinds = {field.name: field.type for field in schema}
    if len(kinds) != len(schema):
        raise VectorFileError(f"{where} has two columns of one name: rename one")

    def is_vector(kind: Any) -> bool:
        lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
        if not lists:
            return False
        return bool(types.is_floating(kind.value_type) or types.is_integer(kind.value_type))

    lists = [name for name, kind in kinds.items() if is_vector(kind)]
    vectors = choose_vectors(lists, columns.vectors, where)
    ids = [name for name, kind in kinds.items() if types.is_integer(kind) or _is_text(kind, arrow)]
    texts = [name for name, kind in kinds.items() if _is_text(kind, arrow)]
    for name in columns.metadata:
        choose_named(list(kinds), name, (), where)
    return _Names(
        vectors,
        choose_named(ids, columns.id, ID_NAMES, where),
        choose_named(texts, columns.text, TEXT_NAMES, where),
        METADATA_NAME if METADATA_NAME in kinds else None,
        columns.metadata,
    )


def _is_text(kind: Any, arrow: ModuleType) -> bool:
    if arrow.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(arrow.types.is_string(kind) or arrow.types.is_large_string(kind))


def _refuse_bombs(metadata: Any, name: str, where: str) -> None:
    """A run of a billion equal numbers takes a few bytes in a file and four gigabytes out of it."""
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for position in range(group.num_columns):
            chunk = group.column(position)
            if chunk.path_in_schema.split(".")[0] != name:
                continue
            if chunk.num_values > group.num_rows * MAX_DIM:
                raise VectorFileError(
                    f"{where}: row group {number} declares {chunk.num_values} numbers for "
                    f"{group.num_rows} vectors: give at most {MAX_DIM} dimensions"
                )


def _matrix(column: Any, dim: int, place: Place) -> npt.NDArray[Any]:
    """(n, dim) numbers from a column of lists."""

    def refuse(wrong: Sequence[bool] | npt.NDArray[np.bool_], what: str) -> None:
        found = np.flatnonzero(wrong)
        if found.size:
            raise VectorFileError(f"{place(int(found[0]))} {what}")

    refuse(column.is_null().to_numpy(False), "is null: leave it out")
    lengths = column.value_lengths().to_numpy(False)
    refuse(lengths != dim, f"has another width than the first one, {dim}: give all the same")
    values = column.flatten()
    holes = values.is_null().to_numpy(False).reshape(-1, dim)
    refuse(holes.any(axis=1), "holds a null: leave it out")
    numbers: npt.NDArray[Any] = values.to_numpy(False).reshape(-1, dim)
    return numbers


def _plain(value: Any) -> Any:
    """The value as JSON has it; dates and times become ISO 8601 text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, date | time):
        return value.isoformat()
    return value


def _object(value: object, where: str) -> dict[str, object]:
    """Metadata as Parquet files hold it: a struct, a map, or JSON text."""
    if isinstance(value, str):
        try:
            value = load_json(value)
        except ValueError as error:
            raise VectorFileError(f"{where} is not JSON ({error})") from error
    if isinstance(value, list) and all(isinstance(item, tuple) for item in value):
        value = dict(value)
    if value is not None and not isinstance(value, dict):
        raise VectorFileError(f"{where} is not an object")
    return value or {}
