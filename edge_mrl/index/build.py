"""Building a new index from records."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.index import Index
from edge_mrl.index.records import Record
from edge_mrl.index.storage.staging import staged
from edge_mrl.index.text_encoder import TextEncoder
from edge_mrl.slices import Slice


def build_index(
    place: str | os.PathLike[str],
    encoder: TextEncoder,
    records: Iterable[Record],
    *,
    bundle: str | os.PathLike[str] | None = None,
    layout: IndexLayout | None = None,
    lexical: str | None = None,
    token_vectors: Slice | Literal["all"] | None = None,
    memory_budget: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Index:
    """Build an index beside its place and rename it, replacing what stood there.

    Args:
        place: the index file to make.
        encoder: embeds the texts.
        records: the documents.
        memory_budget: as in `Index.open`.
        bundle: the bundle's folder, remembered in the file so that a search finds it.
        layout: the slices; default as in `Index.open`.
        lexical: a tokenizer, to index the words too; see `Index.create_lexical_index`.
        token_vectors: what to keep of the vector of each token, which the encoder must give; "all"
            dimensions are kept at 8 bits. None: no token vectors. See `Index.create_token_index`.
        on_progress: called with the number of documents stored so far.

    Returns:
        The index, open.

    Raises:
        IndexFileError: the folder does not exist or cannot be written, or something else than an
            index stands at `place`.
        InputError: a record cannot be stored, or the encoder gives no token vectors; nothing stands
            at `place` that was not there before.
    """
    place = Path(place)

    def fill(index: Index) -> None:
        if lexical is not None:
            index.create_lexical_index(lexical)
        if token_vectors is not None:
            index.create_token_index(slice=None if token_vectors == "all" else token_vectors)
        index.add_stream(records, on_progress=on_progress)
        if bundle is not None:
            index.remember_bundle(bundle, place)

    def make(staging: Path) -> Index:
        return Index.open(staging, encoder, layout=layout, memory_budget=memory_budget)

    build_with(place, make, fill)
    return Index.open(place, encoder, memory_budget=memory_budget)


def build_with(place: Path, make: Callable[[Path], Index], fill: Callable[[Index], object]) -> None:
    """Build an index beside its place and rename it; see `build_index`.

    Args:
        place: the index file to make.
        make: makes an empty index at a path.
        fill: adds its documents.

    Raises:
        IndexFileError: as `build_index`, or whatever `make` and `fill` raise.
    """
    with staged(place) as staging, make(staging) as index:
        # What a power cut takes back here has no name yet.
        with index.bulk_load():
            fill(index)
        index.optimize()
