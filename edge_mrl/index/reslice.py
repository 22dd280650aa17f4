"""A smaller index from a larger one: the stored vectors are cut, no text is embedded again.

The first coordinates of a Matryoshka vector are a good embedding by themselves, so an index that
was built on a large machine can be cut for a small one that has neither the time nor the model.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from edge_mrl.errors import IndexFileError, SliceError
from edge_mrl.index import opening
from edge_mrl.index.companions import in_step
from edge_mrl.index.format.codes import encode
from edge_mrl.index.format.layout import IndexLayout, default_layout
from edge_mrl.index.index import Index
from edge_mrl.index.opening import Opened
from edge_mrl.index.storage import bundle_place, segment_store
from edge_mrl.index.storage.meta import IndexMeta
from edge_mrl.index.storage.staging import staged
from edge_mrl.index.writing import documents
from edge_mrl.slices import Slice

_ROWS = 4096
"""Documents copied in one transaction: 4 MiB of float32 at 256 dimensions."""


def resliced_layout(
    source: IndexMeta,
    dim: int,
    bits: int | None = None,
    scan: Slice | None = None,
    refine: Slice | None = None,
) -> IndexLayout:
    """The layout of an index that is cut from another one.

    Args:
        source: what the larger index says about itself.
        dim: a trained size, at most the stored one.
        bits: of a stored coordinate, at most those of the source; default the source's.
        scan: default as `default_layout`.
        refine: default as `default_layout` where the scan slice is the default too, else none.

    Raises:
        UntrainedDimError: `dim`, or that of another part, is not a trained size.
        SliceError: a part would need more than is stored.
    """
    stored = source.layout.stored
    wanted = Slice(dim, stored.bits if bits is None else bits)
    if wanted.dim > stored.dim or wanted.bits > stored.bits:
        raise SliceError(
            f"{wanted} cannot be cut from stored vectors of {stored}: choose at most "
            f"{stored.dim} dimensions and {stored.bits} bits"
        )
    default = default_layout(dim, source.matryoshka_dims)
    layout = IndexLayout(wanted, *default.resident).with_codes(scan, refine)
    IndexMeta.checked(
        source.dim, source.matryoshka_dims, source.identity, source.model_name, layout
    )
    return layout


def reslice_index(
    source: str | os.PathLike[str],
    place: str | os.PathLike[str],
    dim: int,
    *,
    bits: int | None = None,
    scan: Slice | None = None,
    refine: Slice | None = None,
    token_slice: Slice | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Index:
    """Cut an index to fewer dimensions or bits, beside its place, and rename it.

    Ids, texts, metadata, the order of the documents, sparse and token vectors, indexes of words and
    metadata, the next number and the note of the bundle are carried over, deleted documents are
    left behind.
    An encoder of the same model opens it as it opened the source. One view of the source is copied;
    others may go on writing to it. The memory needed does not grow with the number of documents.

    Args:
        source: an index file.
        place: the file to make; an index that stands there is replaced.
        dim: a trained size, at most the stored one.
        bits: of a stored coordinate, at most the source's; default the same.
        scan: default as `default_layout`.
        refine: default as `default_layout` where the scan slice is the default too, else none.
        token_slice: what to keep of each token vector, at most what the source does; default the
            same.
        on_progress: called with the number of documents copied so far.

    Returns:
        The new index, open without an encoder.

    Raises:
        IndexFileError: the source is missing or damaged, or `place` cannot be written, is the
            source, or holds something else than an index.
        UntrainedDimError: `dim`, or that of another part, is not a trained size.
        SliceError: the layout cannot be cut from the stored vectors, or the token slice from the
            token vectors.
        InputError: there is a token slice and no token vectors.
    """
    source, place = Path(source), Path(place)
    opened = opening.open_or_make(source, None, None)
    try:
        if place.exists() and place.samefile(source):
            raise IndexFileError(f"{place} is the index to cut: give another path")
        old = opened.meta
        layout = resliced_layout(old, dim, bits, scan, refine)
        meta = IndexMeta(old.dim, old.matryoshka_dims, old.identity, old.model_name, layout)
        with staged(place) as staging:
            made = opening.make(staging, meta)
            with Index(made, None) as index:
                # What a power cut takes back here has no name yet.
                with index.bulk_load():
                    _copy(opened, made, place, token_slice, on_progress)
                index.optimize()
    finally:
        opened.store.close()
    return Index.open(place)


def _copy(
    source: Opened,
    target: Opened,
    place: Path,
    token_slice: Slice | None,
    on_progress: Callable[[int], None] | None,
) -> None:
    old, new = source.store, target.store
    done = last = 0
    with old.read():
        with new.write():
            in_step.prepare_like(new, old, token_slice)
        while found := old.documents_after(last, _ROWS):
            rows = list(found)
            last = rows[-1]
            vectors = old.vectors(rows, source.meta.layout.stored)
            stored = target.meta.layout.stored
            with new.write():
                first = new.next_row()
                documents.insert(
                    new, list(found.values()), encode(vectors.units, stored), stored, first
                )
                in_step.copy(new, old, dict(zip(rows, range(first, new.next_row()), strict=True)))
                segment_store.pack_tail(new, target.meta.layout)
            done += len(rows)
            if on_progress is not None:
                on_progress(done)
        with new.write():
            new.set_fact("next_id", str(old.whole_number("next_id")))
            bundle = bundle_place.recall(old)
            if bundle is not None:
                bundle_place.remember(new, bundle, place)
