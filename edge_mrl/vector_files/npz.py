"""Vectors in a .npz file, a zip archive of .npy arrays: `vectors`, perhaps `ids` and `texts`.

The arrays are decompressed as they are read, side by side, so that neither a large archive nor one
that claims to be fills the memory."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_mrl.errors import VectorFileError
from edge_mrl.vector_files.batch import (
    ID_NAMES,
    TEXT_NAMES,
    Columns,
    DocumentId,
    VectorBatch,
    batch_rows,
    check_rows,
    check_shape,
    choose_named,
    choose_vectors,
    numbered,
)
from edge_mrl.vector_files.npy_array import ArrayHeader, read_header, read_rows

MAX_EXPANSION = 200
"""Compressed vectors take at least this part of their size; what claims less is a zip bomb."""

_MAX_ARRAYS = 1000
_MAX_ITEM_BYTES = 2**18
_SUFFIX = ".npy"


@dataclass(frozen=True, slots=True)
class NpzFile:
    """See `VectorFile`.

    Attributes:
        path: the file.
        vectors, ids, texts: the arrays' names.
        headers: their headers, by name.
    """

    path: Path
    vectors: str
    ids: str | None
    texts: str | None
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
        tables = [name for name, header in headers.items() if _is_table(header)]
        vectors = choose_vectors(tables, columns.vectors, str(path))
        present = [name for name in headers if name != vectors]
        found = cls(
            path,
            vectors,
            choose_named(present, columns.id, ID_NAMES, str(path)),
            choose_named(present, columns.text, TEXT_NAMES, str(path)),
            headers,
        )
        check_shape(headers[vectors].shape, f"{path}: {vectors}")
        for name, kinds in ((found.ids, "iuU"), (found.texts, "U")):
            if name is not None:
                _check_beside(path, name, headers[name], found.count, kinds)
        return found

    @property
    def dim(self) -> int:
        """See `VectorFile`."""
        return self.headers[self.vectors].shape[1]

    @property
    def count(self) -> int:
        """See `VectorFile`."""
        return self.headers[self.vectors].shape[0]

    def batches(self) -> Iterator[VectorBatch]:
        """See `VectorFile`."""
        names = [name for name in (self.vectors, self.ids, self.texts) if name is not None]
        rows = batch_rows(sum(self.headers[name].row_bytes for name in names))
        first = 0
        with _explained(self.path), ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(self.path))
            parts = []
            for name in names:
                member = stack.enter_context(archive.open(name + _SUFFIX))
                member.read(self.headers[name].offset)
                parts.append(read_rows(member, self.headers[name], rows, f"{self.path}: {name}"))
            for together in zip(*parts, strict=True):
                by_name = dict(zip(names, together, strict=True))
                ids: list[DocumentId] | None = by_name[self.ids].tolist() if self.ids else None
                texts: list[str] | None = by_name[self.texts].tolist() if self.texts else None
                yield VectorBatch(
                    check_rows(by_name[self.vectors], numbered(self.path, first)), ids, texts
                )
                first += len(together[0])


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
