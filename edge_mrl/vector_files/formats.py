"""Every format that vectors are read from, by the file's ending."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_mrl.errors import VectorFileError
from edge_mrl.vector_files.batch import Columns, VectorFile
from edge_mrl.vector_files.jsonl import JsonLinesFile
from edge_mrl.vector_files.npy import NpyFile
from edge_mrl.vector_files.npz import NpzFile
from edge_mrl.vector_files.parquet import ParquetFile
from edge_mrl.vector_files.safetensors import SafetensorsFile

FORMATS: dict[str, Callable[[Path, Columns], VectorFile]] = {
    ".npy": NpyFile.open,
    ".npz": NpzFile.open,
    ".parquet": ParquetFile.open,
    ".jsonl": JsonLinesFile.open,
    ".safetensors": SafetensorsFile.open,
}

WITH_TOKENS = (".jsonl", ".npz")


def open_vector_file(path: Path, columns: Columns | None = None) -> VectorFile:
    """Open a file of vectors and check its header.

    Args:
        path: the file; its ending says the format.
        columns: where in the file things are; default by their usual names.

    Raises:
        VectorFileError: there is no such file, the ending is unknown, or the file is not what its
            ending says.
        ExtraMissingError: the format needs a package that is not installed.
    """
    opener = FORMATS.get(path.suffix.lower())
    if opener is None:
        raise VectorFileError(
            f"{path} does not end in one of {', '.join(FORMATS)}: name the file by its format"
        )
    columns = columns or Columns()
    if columns.tokens is not None and path.suffix.lower() not in WITH_TOKENS:
        raise VectorFileError(
            f"{path}: token vectors are read from {' and '.join(WITH_TOKENS)} only: use one of them"
        )
    if not path.is_file():
        raise VectorFileError(f"there is no file of vectors {path}: check the path")
    return opener(path, columns)
