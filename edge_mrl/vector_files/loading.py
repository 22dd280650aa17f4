"""From a file of vectors into an index."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from edge_mrl.errors import VectorFileError
from edge_mrl.index import Index
from edge_mrl.index.writing.batch import check_ids, check_text, metadata_json
from edge_mrl.slices import FloatArray
from edge_mrl.vector_files.batch import DocumentId, VectorFile


def add_vector_file(
    index: Index,
    file: VectorFile,
    *,
    upsert: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> int:
    """Add all documents of a file, in bounded memory; each batch is durable before the next.

    Args:
        index: open, for vectors of this width.
        file: from `open_vector_file`.
        upsert: replace documents whose id is taken, instead of refusing them.
        on_progress: called after each batch with how many were added so far.

    Returns:
        How many were added.

    Raises:
        InputError: the index takes no token vectors of the file's width; a row cannot be used, or
            an id is taken: the batches before it stay. Call `check_vector_file` first where that
            must not happen.
        IndexFileError: the index cannot be written.
    """
    _check_tokens(index, file)
    put = index.upsert if upsert else index.add
    done = 0
    for batch in file.batches():
        put(
            batch.texts,
            ids=batch.ids,
            metadata=batch.metadata,
            vectors=batch.vectors,
            token_vectors=batch.tokens,
        )
        done += len(batch)
        if on_progress is not None:
            on_progress(done)
    return done


def check_vector_file(index: Index, file: VectorFile, *, upsert: bool = False) -> int:
    """Read a file from end to end without adding anything, so that a bad row adds nothing.

    Returns:
        How many documents it holds.

    Raises:
        InputError: the index takes no token vectors of the file's width, a row cannot be used, an
            id stands twice, or, without `upsert`, is in the index already.
    """
    _check_tokens(index, file)
    seen: set[DocumentId] = set()
    count = 0
    for batch in file.batches():
        for row, item in enumerate(batch.metadata or [], count):
            metadata_json(item, f"document {row}")
        for row, text in enumerate(batch.texts or [], count):
            check_text(text, f"{file.path}: the text of vector {row}")
        count += len(batch)
        if batch.ids is None:
            continue
        check_ids(batch.ids)
        before = len(seen)
        seen.update(batch.ids)
        if len(seen) != before + len(batch):
            raise VectorFileError(
                f"{file.path}: an id of the vectors {count - len(batch)} to {count - 1} (counted "
                "from 0) stands twice: give each its own"
            )
        taken = [] if upsert else index.get(batch.ids)
        if taken:
            raise VectorFileError(
                f"{file.path}: the id {taken[0].id!r} is in the index already: give --upsert to "
                "replace such documents"
            )
    return count


def _check_tokens(index: Index, file: VectorFile) -> None:
    """Refuse token vectors that the index would not take.

    Raises:
        InputError: it keeps none, or none of that width.
    """
    if file.token_dim is None:
        return
    widths = index.token_widths
    if not widths:
        raise VectorFileError(
            f"{file.path} holds token vectors, and the index keeps none: make room for them with "
            f"create_token_index({file.token_dim}), or build the index from a file that has them"
        )
    if file.token_dim not in widths:
        raise VectorFileError(
            f"{file.path}: token vectors of {file.token_dim} dimensions do not fit this index: "
            f"give {' or '.join(map(str, widths))}"
        )


def single_vector(file: VectorFile) -> FloatArray:
    """The only vector of a file, to search with.

    Returns:
        (dim,) float32.

    Raises:
        VectorFileError: the file holds several.
    """
    vectors = [row for batch in islice(file.batches(), 2) for row in batch.vectors[:2]]
    if len(vectors) != 1:
        raise VectorFileError(f"{file.path} holds several vectors: search with one at a time")
    only: FloatArray = vectors[0]
    return only
