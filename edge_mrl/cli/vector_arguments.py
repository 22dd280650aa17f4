"""Arguments of the commands that take vectors instead of texts. What reads their files is imported
when there is one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import InputError
from edge_mrl.schema import load_json

if TYPE_CHECKING:
    from edge_mrl.vector_files import VectorFile


def add_vector_file_arguments(
    parser: argparse.ArgumentParser, source: argparse._MutuallyExclusiveGroup
) -> None:
    """`--vectors` beside the other source of documents, and where in its file things are."""
    from edge_mrl.vector_files import FORMATS

    source.add_argument(
        "--vectors",
        type=Path,
        metavar="FILE",
        help=f"vectors that were made elsewhere: {', '.join(FORMATS)}",
    )
    parser.add_argument("--column", help="the array, column or field of FILE with the vectors")
    parser.add_argument("--id-column", metavar="COLUMN", help="the one with the ids")
    parser.add_argument("--text-column", metavar="COLUMN", help="the one with the texts")
    parser.add_argument(
        "--metadata-columns", metavar="A,B", help="columns that become metadata of each document"
    )
    parser.add_argument(
        "--token-column", metavar="COLUMN", help="the one with token vectors (.jsonl, .npz)"
    )


def refuse_column_arguments(arguments: argparse.Namespace) -> None:
    """Columns mean nothing for a corpus.

    Raises:
        InputError: one was named.
    """
    if (
        arguments.column
        or arguments.id_column
        or arguments.text_column
        or arguments.metadata_columns
        or arguments.token_column
    ):
        raise InputError("columns go with --vectors: a corpus has fields of fixed names")


def chosen_vector_file(arguments: argparse.Namespace) -> VectorFile:
    """The file that `--vectors` names, its header checked."""
    from edge_mrl.vector_files import Columns, open_vector_file

    metadata = arguments.metadata_columns
    columns = Columns(
        arguments.column,
        arguments.id_column,
        arguments.text_column,
        tuple(metadata.split(",")) if metadata else (),
        arguments.token_column,
    )
    return open_vector_file(arguments.vectors, columns)


def query_vector(argument: str) -> npt.NDArray[np.float64 | np.float32]:
    """What `--vector` names: a JSON list of numbers, or a file that holds one vector.

    Raises:
        InputError: it is neither.
    """
    if argument.lstrip()[:1] != "[":
        from edge_mrl.vector_files import open_vector_file, single_vector

        return single_vector(open_vector_file(Path(argument)))
    try:
        listed = load_json(argument)
        vector: npt.NDArray[np.float64] = np.asarray(listed)
    except ValueError as error:
        raise InputError(
            f"--vector is not a JSON list of numbers ({error}): write [0.1, 0.2, ...] or a file"
        ) from error
    if vector.ndim != 1 or not vector.size or vector.dtype.kind not in "fi":
        raise InputError("--vector must be one JSON list of numbers, or a file with one vector")
    return vector
