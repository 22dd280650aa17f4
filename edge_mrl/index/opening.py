"""How an index file is made, and when it may be used with an encoder."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from edge_mrl.errors import IndexFileError, IndexMismatchError, InputError, SliceError
from edge_mrl.index.format.layout import IndexLayout, default_layout
from edge_mrl.index.storage.meta import IndexMeta
from edge_mrl.index.storage.schema_sql import SCHEMA_VERSION
from edge_mrl.index.storage.store import Store
from edge_mrl.index.text_encoder import TextEncoder


class Opened(NamedTuple):
    """An open file and what it says about itself."""

    store: Store
    meta: IndexMeta


def open_or_make(file: Path, encoder: TextEncoder | None, layout: IndexLayout | None) -> Opened:
    """Open an index, or make it where there is none and an encoder is given; see `Index.open`."""
    if encoder is not None and not hasattr(encoder, "identity"):
        raise InputError(
            f"the encoder must be an Encoder, not {type(encoder).__name__}: Encoder.load(bundle) "
            "gives one"
        )
    new = None
    if not exists(file):
        if encoder is None:
            raise IndexFileError(
                f"there is no index {file}: check the path, or make it: `edge-mrl build`, or in "
                "Python open it with an encoder"
            )
        # Before the file is made, so that a layout that cannot be leaves nothing behind.
        new = meta_for(encoder, layout)
    store = Store(file)
    try:
        if store.version == 0:
            if encoder is None:
                raise IndexFileError(f"{file} is empty: give an encoder to make an index of it")
            meta = initialise(store, new or meta_for(encoder, layout))
        else:
            meta = read_meta(store)
        check_fit(file, meta, encoder, layout)
    except BaseException:
        _give_up(store, made=new is not None)
        raise
    return Opened(store, meta)


def make(file: Path, meta: IndexMeta) -> Opened:
    """Make an index in a new file.

    Raises:
        IndexFileError: the file exists or cannot be made.
    """
    if exists(file):
        raise IndexFileError(f"{file} exists: open it, or give another path")
    store = Store(file)
    try:
        return Opened(store, initialise(store, meta))
    except BaseException:
        _give_up(store, made=True)
        raise


def exists(file: Path) -> bool:
    """Whether something stands at a path.

    Raises:
        IndexFileError: nothing ever can: the name is too long, or holds a NUL, which SQLite would
            take for its end.
    """
    try:
        file.stat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise IndexFileError(
            f"the index {str(file)[:200]!r} cannot be opened ({reason}): give another path"
        ) from error
    return True


def _give_up(store: Store, *, made: bool) -> None:
    """Close a file that could not be opened; one that was made for it and got no tables goes."""
    with suppress(IndexFileError):
        made = made and store.version == 0
        store.close()
        if made:
            from edge_mrl.index.storage.staging import remove

            remove(store.place)


def meta_for(encoder: TextEncoder, layout: IndexLayout | None) -> IndexMeta:
    """The facts of a new index for an encoder.

    Raises:
        SliceError: the layout does not fit the encoder.
    """
    chosen = layout or encoder.index_layout or default_layout(encoder.dim, encoder.matryoshka_dims)
    return IndexMeta.checked(
        encoder.dim, encoder.matryoshka_dims, encoder.identity, encoder.model_name, chosen
    )


def initialise(store: Store, meta: IndexMeta) -> IndexMeta:
    """Make the tables and write the facts; returns the facts that stand in the file."""
    with store.write():
        store.migrate(SCHEMA_VERSION)
        if store.fact("index") is None:
            store.set_fact("index", meta.to_json())
            store.set_fact("epoch", "0")
            store.set_fact("next_id", "1")
    # Another process may have been first: what stands in the file counts.
    return read_meta(store)


def read_meta(store: Store) -> IndexMeta:
    """The facts of an index.

    Raises:
        IndexFileError: they are missing or damaged.
    """
    with store.read():
        text = store.fact("index")
    if text is None:
        raise IndexFileError(
            f"{store.path} does not say which model it belongs to: build the index again"
        )
    return IndexMeta.from_json(text, f"{store.path}: the description of the index")


def check_fit(
    path: Path, meta: IndexMeta, encoder: TextEncoder | None, layout: IndexLayout | None
) -> None:
    """Whether an index may be used with this encoder and layout.

    Raises:
        IndexMismatchError: it belongs to another model.
        SliceError: it has another layout, or is wider than the encoder's vectors.
    """
    if layout is not None and layout != meta.layout:
        raise SliceError(
            f"{path} is kept as {meta.layout}, not as {layout}: leave the layout out, or build anew"
        )
    if encoder is None:
        return
    check_model(path, meta, encoder.identity, encoder.model_name)
    needed = meta.layout.stored.dim
    if encoder.dim < needed:
        raise SliceError(
            f"{path} stores {needed} dimensions but the encoder gives {encoder.dim}: "
            f"load the encoder with truncate_dim={needed}"
        )


def check_model(path: Path, meta: IndexMeta, identity: str, model_name: str) -> None:
    """Whether an index belongs to a model.

    Raises:
        IndexMismatchError: it belongs to another; names both.
    """
    if identity != meta.identity:
        raise IndexMismatchError(
            f"{path} belongs to the model {meta.model_name} ({meta.short_identity}), not to "
            f"{model_name} ({identity[:12]}): open it with that model, or build a new index"
        )
