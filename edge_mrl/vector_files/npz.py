"""Vectors in a .npz file, a zip archive of .npy arrays: `vectors`, perhaps `ids` and `texts`;
perhaps `token_vectors` of all documents, one after another, and `token_counts`, how many each has.

The arrays are decompressed as they are read, side by side, so that neither a large archive nor one
that claims to be fills the memory."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from edge_mrl.errors import VectorFileError
from edge_mrl.retrieval.multi_vector import MAX_TOKENS, MultiVector
from edge_mrl.vector_files.batch import (
    BATCH_BYTES,
    ID_NAMES,
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
    numbered,
    token_vectors,
)
from edge_mrl.vector_files.npy_array import ArrayHeader, read_header, read_rows

MAX_EXPANSION = 200
"""Compressed vectors take at least this part of their size; what claims less is a zip bomb."""

_MAX_ARRAYS = 1000
_MAX_ITEM_BYTES = 2**18
_SUFFIX = ".npy"
_COUNTS = "token_counts"


@dataclass(frozen=True, slots=True)
class NpzFile:
    """See `VectorFile`.

    Attributes:
        path: the file.
        vectors, ids, texts, tokens: the arrays' names.
        headers: their headers, by name.
    """

    path: Path
    vectors: str
    ids: str | None
    texts: str | None
    tokens: str | None
    headers: dict[str, ArrayHeader]

    @classmethod
    def open(cls, path: Path, columns: Columns) -> NpzFile:
        """Read the arrays' headers.

        Raises:
            VectorFileError: it is not such an archive, or holds no vectors.
        """
        if columns.metadata:
            raise VectorFileError(f"{path}: a .npz file has no metadata columns: leave them out")
        with _explained(path), zipfile.ZipFile(path) as archive:
            headers = _headers(archive, path)
        tokens = choose_named(list(headers), columns.tokens, TOKEN_NAMES, str(path))
        tables = [name for name, header in headers.items() if name != tokens and _is_table(header)]
        vectors = choose_vectors(tables, columns.vectors, str(path))
        present = [name for name in headers if name != vectors]
        found = cls(
            path,
            vectors,
            choose_named(present, columns.id, ID_NAMES, str(path)),
            choose_named(present, columns.text, TEXT_NAMES, str(path)),
            tokens,
            headers,
        )
        check_shape(headers[vectors].shape, f"{path}: {vectors}")
        for name, kinds in ((found.ids, "iuU"), (found.texts, "U")):
            if name is not None:
                _check_beside(path, name, headers[name], found.count, kinds)
        if tokens is not None:
            _check_tokens(path, tokens, headers, found.count)
        return found

    @property
    def dim(self) -> int:
        """See `VectorFile`."""
        return self.headers[self.vectors].shape[1]

    @property
    def count(self) -> int:
        """See `VectorFile`."""
        return self.headers[self.vectors].shape[0]

    @property
    def token_dim(self) -> int | None:
        """See `VectorFile`."""
        return None if self.tokens is None else self.headers[self.tokens].shape[1]

    def batches(self) -> Iterator[VectorBatch]:
        """See `VectorFile`."""
        wanted = (self.vectors, self.ids, self.texts, None if self.tokens is None else _COUNTS)
        names = [name for name in wanted if name is not None]
        rows = batch_rows(sum(self.headers[name].row_bytes for name in names))
        first = 0
        with _explained(self.path), ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(self.path))
            parts = []
            for name in names:
                member = self._opened(archive, name, stack)
                parts.append(read_rows(member, self.headers[name], rows, f"{self.path}: {name}"))
            tokens = None if self.tokens is None else self._opened(archive, self.tokens, stack)
            for together in zip(*parts, strict=True):
                by_name = dict(zip(names, together, strict=True))
                ids: list[DocumentId] | None = by_name[self.ids].tolist() if self.ids else None
                texts: list[str] | None = by_name[self.texts].tolist() if self.texts else None
                vectors = check_rows(by_name[self.vectors], numbered(self.path, first))
                if tokens is None:
                    yield VectorBatch(vectors, ids, texts)
                else:
                    counts = by_name[_COUNTS].tolist()
                    for start, found in self._tokens(tokens, counts, first):
                        rows_of = slice(start, start + len(found))
                        yield VectorBatch(
                            vectors[rows_of],
                            None if ids is None else ids[rows_of],
                            None if texts is None else texts[rows_of],
                            None,
                            found,
                        )
                first += len(vectors)
            if tokens is not None and tokens.read(1):
                raise VectorFileError(
                    f"{self.path}: {self.tokens} has more rows than {_COUNTS} adds up to: they are "
                    "not of the same documents"
                )

    def _opened(self, archive: zipfile.ZipFile, name: str, stack: ExitStack) -> IO[bytes]:
        """An array's numbers as a stream."""
        member = stack.enter_context(archive.open(name + _SUFFIX))
        member.read(self.headers[name].offset)
        return member

    def _tokens(
        self, stream: IO[bytes], counts: Sequence[int], first: int
    ) -> Iterator[tuple[int, list[MultiVector | None]]]:
        """Token vectors of some documents, a few documents at a time: the number of the first among
        them, and one entry for each."""
        assert self.tokens is not None
        header = self.headers[self.tokens]
        start, taken, found = 0, 0, list[MultiVector | None]()
        for number, count in enumerate(counts):
            where = f"{self.path}: the {self.tokens} of vector {first + number} (counted from 0)"
            if not 0 <= count <= MAX_TOKENS:
                raise VectorFileError(f"{where} are {count}: give 0 to {MAX_TOKENS}")
            data = stream.read(count * header.row_bytes)
            if len(data) != count * header.row_bytes:
                raise VectorFileError(
                    f"{where} are not all there: {_COUNTS} adds up to more than it has rows"
                )
            raw = np.frombuffer(data, header.dtype).reshape(count, *header.shape[1:])
            found.append(token_vectors(raw, header.shape[1], where) if count else None)
            taken += len(data)
            if taken >= BATCH_BYTES:
                yield start, found
                start, taken, found = number + 1, 0, []
        if found:
            yield start, found


def _headers(archive: zipfile.ZipFile, path: Path) -> dict[str, ArrayHeader]:
    members = archive.infolist()
    if len(members) > _MAX_ARRAYS:
        raise VectorFileError(f"{path} holds {len(members)} arrays: give at most {_MAX_ARRAYS}")
    headers = {}
    for member in members:
        if not member.filename.endswith(_SUFFIX):
            continue
        where = f"{path}: {member.filename}"
        if member.file_size > 2**20 + MAX_EXPANSION * member.compress_size:
            raise VectorFileError(
                f"{where} claims to unpack to more than {MAX_EXPANSION} times its size, which "
                "vectors never do: it is not used"
            )
        name = member.filename.removesuffix(_SUFFIX)
        if name in headers:
            raise VectorFileError(f"{path} holds two arrays named {name!r}: write it again")
        with archive.open(member) as stream:
            headers[name] = read_header(stream, member.file_size, where)
    return headers


def _is_table(header: ArrayHeader) -> bool:
    return len(header.shape) == 2 and header.dtype.kind in "fiu"


def _check_beside(path: Path, name: str, header: ArrayHeader, count: int, kinds: str) -> None:
    if header.shape != (count,) or header.dtype.kind not in kinds:
        raise VectorFileError(
            f"{path}: {name} has the shape {header.shape} and type {header.dtype}: give one "
            f"{'text' if kinds == 'U' else 'id (a whole number or a text)'} for each of the "
            f"{count} vectors"
        )
    if header.dtype.itemsize > _MAX_ITEM_BYTES:
        raise VectorFileError(
            f"{path}: {name} takes {header.dtype.itemsize} bytes for each item: use Parquet or "
            "JSON lines for long texts"
        )


def _check_tokens(path: Path, name: str, headers: dict[str, ArrayHeader], count: int) -> None:
    if not _is_table(headers[name]):
        raise VectorFileError(
            f"{path}: {name} has the shape {headers[name].shape} and type {headers[name].dtype}: "
            "give one of (token vectors of all documents, dimensions)"
        )
    check_shape((1, headers[name].shape[1]), f"{path}: {name}")
    counts = headers.get(_COUNTS)
    if counts is None or counts.shape != (count,) or counts.dtype.kind not in "iu":
        raise VectorFileError(
            f"{path}: {name} needs an array {_COUNTS} of {count} whole numbers: how many token "
            "vectors each document has, 0 for none"
        )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, VectorFileError):
            raise
        raise VectorFileError(
            f"{path} cannot be read as a .npz archive ({error}): write it with numpy.savez"
        ) from error
