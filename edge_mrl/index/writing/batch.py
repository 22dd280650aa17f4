"""Checks what a caller hands in: texts, ids, metadata, vectors. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import InputError
from edge_mrl.index.records import DocumentId, Record
from edge_mrl.schema import one_or_more, whole_number
from edge_mrl.slices import FloatArray, prefix

if TYPE_CHECKING:
    from edge_mrl.index.storage.meta import IndexMeta

LARGEST_ID = 2**63 - 1
"""SQLite keeps 64 bits."""

MAX_NESTING = 100
"""Lists and objects of metadata in each other. Reading deeper ones would depend on how much of its
stack a program has left."""

T = TypeVar("T")


def as_list(values: Sequence[T], what: str) -> list[T]:
    """A list of the values; a bare text is refused, because its letters would be taken one by one.

    Raises:
        InputError: it is a text or not a sequence.
    """
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        streamed = isinstance(values, Iterator)
        advice = "make a list of it" if streamed else "put a single one in brackets"
        raise InputError(f"{what} must be a list, not {type(values).__name__}: {advice}")
    return list(values)


def check_k(k: object) -> int:
    """How many hits are wanted.

    Raises:
        InputError: it is not a whole number of 1 or more.
    """
    return one_or_more(k, "k")


def check_threads(threads: object) -> int:
    """How many threads share the work.

    Raises:
        InputError: it is not a whole number of 1 or more.
    """
    return one_or_more(threads, "threads")


def check_batch_size(size: object) -> int:
    """How many records go into one transaction.

    Raises:
        InputError: it is not a whole number of 1 or more.
    """
    return one_or_more(size, "batch_size")


def check_records(values: Sequence[object]) -> None:
    """Refuse what is no record.

    Raises:
        InputError: one is not; says of which kind it is.
    """
    for value in values:
        if not isinstance(value, Record):
            raise InputError(
                f"a stream is made of Record, not {type(value).__name__}: write "
                "edge_mrl.index.Record(text), or give a list of texts to add"
            )


def check_budget(budget: object, name: str) -> int | None:
    """Bytes of memory, or None where the caller leaves it open.

    Raises:
        InputError: it is not a whole number of 0 or more.
    """
    if budget is None:
        return None
    number = whole_number(budget)
    if number is None or number < 0:
        raise InputError(f"{name} must be a whole number of bytes, not {budget!r}")
    return number


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size` values, read as they are needed."""
    source = iter(values)
    while part := list(islice(source, size)):
        yield part


def check_text(text: object, what: str) -> str:
    """A text that can be stored.

    Raises:
        InputError: it is not a str, or holds half of a surrogate pair, which no file can keep.
    """
    if not isinstance(text, str):
        raise InputError(f"{what} must be a str, not {type(text).__name__}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{what} holds a lone surrogate at character {error.start}: "
            "remove it or decode the text properly"
        ) from error
    return text


def check_id(id_: object) -> DocumentId:
    """An id that can be stored.

    Raises:
        InputError: it is neither a text nor a whole number of 64 bits.
    """
    if isinstance(id_, str):
        return check_text(id_, f"the id {id_!r}")
    number = whole_number(id_)
    if number is None:
        raise InputError(f"an id must be an int or a str, not {type(id_).__name__}")
    if not -LARGEST_ID - 1 <= number <= LARGEST_ID:
        raise InputError(f"the id {number} does not fit into 64 bits: use a smaller one or a text")
    return number


def check_ids(ids: Sequence[DocumentId | None]) -> list[DocumentId | None]:
    """Ids of one batch; None stands for the next number.

    Raises:
        InputError: one cannot be an id, or stands twice.
    """
    checked = [None if id_ is None else check_id(id_) for id_ in ids]
    seen: set[DocumentId] = set()
    for id_ in checked:
        if id_ in seen:
            raise InputError(
                f"the id {id_!r} stands twice in one batch: give each document its own"
            )
        if id_ is not None:
            seen.add(id_)
    return checked


def metadata_json(metadata: object, what: str) -> str:
    """One document's metadata as JSON text.

    Args:
        metadata: an object with text keys, or None for an empty one.
        what: names the document in messages.

    Raises:
        InputError: it is not a mapping with text keys, JSON cannot hold it, or it is nested more
            than `MAX_NESTING` deep.
    """
    if metadata is None:
        return "{}"
    if not isinstance(metadata, Mapping) or not all(isinstance(key, str) for key in metadata):
        raise InputError(f"the metadata of {what} must be a dict with str keys")
    try:
        found = json.dumps(dict(metadata), allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the metadata of {what} cannot be stored as JSON: {error}") from error
    if found.count("{") + found.count("[") > MAX_NESTING and _is_nested_beyond(metadata):
        raise InputError(
            f"the metadata of {what} is nested more than {MAX_NESTING} deep: flatten it"
        )
    return found


def _is_nested_beyond(value: object) -> bool:
    """Whether lists and objects stand in each other more than `MAX_NESTING` deep."""
    level = [value]
    for _ in range(MAX_NESTING):
        level = [child for one in level for child in _inside(one)]
    return any(isinstance(one, Mapping | list | tuple) for one in level)


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def unit_rows(
    vectors: npt.ArrayLike | Sequence[npt.ArrayLike], meta: IndexMeta, what: str
) -> FloatArray:
    """Vectors cut to the stored width, of unit length. A row of zeros stays zero.

    Args:
        vectors: (n, d) numbers; d is the index's width or a trained size that is not narrower than
            the stored slice.
        meta: the index.
        what: names a row in messages, e.g. ``"vector"`` or ``"text"``.

    Returns:
        (n, stored dim) float32.

    Raises:
        InputError: another shape, or a row that is not finite; names the row.
    """
    try:
        raw = np.asarray(vectors)
    except ValueError as error:
        raise InputError("vectors must be a table of numbers whose rows have one length") from error
    if raw.ndim != 2 or raw.dtype.kind not in "fiu":
        raise InputError(
            f"vectors must be numbers of shape (n, {meta.dim}), "
            f"not {raw.dtype} of shape {raw.shape}"
        )
    stored = meta.layout.stored.dim
    widths = [size for size in meta.matryoshka_dims if size >= stored]
    if raw.shape[1] not in widths:
        raise InputError(
            f"vectors of {raw.shape[1]} dimensions do not fit this index: "
            f"give {' or '.join(map(str, widths))} dimensions"
        )
    with np.errstate(over="ignore"):
        floats = raw.astype(np.float32, copy=False)
    finite = np.isfinite(floats)
    if not finite.all():
        bad = np.flatnonzero(~finite.all(axis=1))
        raise InputError(
            f"{what} {bad[0]} (counted from 0) has a vector that is not finite: leave it out"
        )
    return prefix(floats, stored)


def refuse_zeros(units: FloatArray) -> FloatArray:
    """The same rows, if each has a direction.

    Raises:
        InputError: a row is all zero; names it.
    """
    empty = np.flatnonzero(~units.any(axis=1))
    if empty.size:
        raise InputError(
            f"vector {empty[0]} (counted from 0) is all zeros and has no direction: leave it out"
        )
    return units
