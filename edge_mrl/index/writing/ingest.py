"""From what a caller hands in to rows in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from typing import NamedTuple

import numpy as np

from edge_mrl.errors import InputError
from edge_mrl.index.companions import sparse, tokens
from edge_mrl.index.companions.token_encoding import encode_documents, maker
from edge_mrl.index.format.codes import Codes, encode
from edge_mrl.index.format.token_layout import TokenLayout
from edge_mrl.index.format.token_records import pack_codes
from edge_mrl.index.records import DocumentId, Incoming, NewDocument
from edge_mrl.index.storage import segment_store
from edge_mrl.index.storage.meta import IndexMeta
from edge_mrl.index.storage.store import Store
from edge_mrl.index.text_encoder import TextEncoder
from edge_mrl.index.writing import batch, given_vectors
from edge_mrl.index.writing import documents as written
from edge_mrl.retrieval.multi_vector import MultiVector
from edge_mrl.retrieval.sparse_vector import SparseVector
from edge_mrl.slices import FloatArray


class Batch(NamedTuple):
    """Documents checked and encoded.

    Attributes:
        ids: n ids; None for the next number.
        texts: n texts.
        metadata: n JSON texts.
        codes: n vectors at the stored slice.
        sparse: sparse vectors, by the number of their document.
        token_codes: token vectors as the index keeps them, by the number of their document.
        token_layout: how it keeps them; None where it keeps none.
    """

    ids: list[DocumentId | None]
    texts: list[str]
    metadata: list[str]
    codes: Codes
    sparse: dict[int, SparseVector]
    token_codes: dict[int, bytes]
    token_layout: TokenLayout | None


def prepare_batch(
    incoming: Incoming, encoder: TextEncoder | None, meta: IndexMeta, store: Store
) -> Batch:
    """Check everything and embed the texts; nothing is written, and the file is not locked while
    the model runs.

    Raises:
        InputError: something cannot be used; see `Index.add`.
    """
    with store.read():
        kept = tokens.layout(store)
    texts = _texts(incoming)
    count = len(texts)
    ids = [None] * count if incoming.ids is None else batch.as_list(incoming.ids, "ids")
    objects = (
        [None] * count
        if incoming.metadata is None
        else batch.as_list(incoming.metadata, "metadata")
    )
    for what, number in (("ids", len(ids)), ("metadata", len(objects))):
        if number != count:
            raise InputError(f"{number} {what} for {count} documents: give one for each")
    metadata = [
        batch.metadata_json(item, f"document {number}") for number, item in enumerate(objects)
    ]
    checked = batch.check_ids(ids)
    token_vectors = given_vectors.token_vectors(incoming.token_vectors, count)
    if token_vectors and kept is None:
        raise tokens.missing(store)
    token_codes = {} if kept is None else _token_codes(token_vectors, kept)
    if (
        texts
        and incoming.vectors is None
        and incoming.token_vectors is None
        and kept is not None
        and kept.by_model
    ):
        rows, token_codes = encode_documents(maker(encoder, kept, store.path), texts, kept)
        units = _of_texts(rows, count, meta)
    else:
        units = _units(incoming, texts, encoder, meta)
    sparse_vectors = given_vectors.sparse_vectors(incoming.sparse, count)
    codes = encode(units, meta.layout.stored)
    return Batch(checked, texts, metadata, codes, sparse_vectors, token_codes, kept)


def _texts(incoming: Incoming) -> list[str]:
    if incoming.texts is not None:
        listed = batch.as_list(incoming.texts, "texts")
        return [batch.check_text(text, f"text {number}") for number, text in enumerate(listed)]
    if incoming.vectors is None:
        raise InputError("nothing to add: give texts or vectors")
    if not isinstance(incoming.vectors, Sized):
        raise InputError("vectors must be a table of numbers of shape (n, dimensions)")
    return [""] * len(incoming.vectors)


def _units(
    incoming: Incoming, texts: list[str], encoder: TextEncoder | None, meta: IndexMeta
) -> FloatArray:
    count = len(texts)
    if not count and (incoming.vectors is None or np.size(incoming.vectors) == 0):
        return np.empty((0, meta.layout.stored.dim), dtype=np.float32)
    if incoming.vectors is not None:
        units = batch.refuse_zeros(batch.unit_rows(incoming.vectors, meta, "vector"))
        if units.shape[0] != count:
            raise InputError(f"{count} texts for {units.shape[0]} vectors: give one for each")
        return units
    if encoder is None:
        raise InputError(
            "this index was opened without an encoder: give vectors, or open it with one"
        )
    return _of_texts(encoder.encode_document(texts), count, meta)


def _of_texts(vectors: FloatArray, count: int, meta: IndexMeta) -> FloatArray:
    """What an encoder gave for some texts, at the stored width."""
    # A text without a word that the model knows has no direction. It is kept: it scores 0.
    units = batch.unit_rows(vectors, meta, "text")
    if units.shape[0] != count:
        raise InputError(
            f"the encoder gave {units.shape[0]} vectors for {count} texts: it is broken"
        )
    return units


def write_batch(
    store: Store, prepared: Batch, meta: IndexMeta, *, replace: bool
) -> list[DocumentId]:
    """Write a batch in one transaction.

    Args:
        store: an open store.
        prepared: from `prepare_batch`.
        meta: the index.
        replace: whether documents whose ids are taken are replaced or refused.

    Returns:
        The ids.

    Raises:
        InputError: an id is taken and may not be replaced, or the index keeps token vectors in
            another way meanwhile; nothing was written.
        IndexFileError: the file cannot be written.
    """
    if not prepared.ids:
        return []
    with store.write():
        if prepared.token_codes and tokens.layout(store) != prepared.token_layout:
            raise InputError(
                f"{store.path} keeps token vectors in another way since a moment ago: add again"
            )
        ids = _final_ids(store, prepared.ids)
        taken = store.present(ids)
        if taken and not replace:
            first = next(id_ for id_ in ids if id_ in taken)
            raise InputError(f"the id {first!r} is in the index already: use upsert to replace it")
        written.delete(store, list(taken))
        row = store.next_row()
        documents = [
            NewDocument(*parts)
            for parts in zip(ids, prepared.texts, prepared.metadata, strict=True)
        ]
        written.insert(store, documents, prepared.codes, meta.layout.stored, row)
        sparse.write(store, {row + number: v for number, v in prepared.sparse.items()})
        tokens.write(store, {row + number: codes for number, codes in prepared.token_codes.items()})
        segment_store.pack_tail(store, meta.layout)
    return ids


def _token_codes(given: Mapping[int, MultiVector], kept: TokenLayout) -> dict[int, bytes]:
    """Token vectors as the index keeps them."""
    return {
        number: pack_codes(kept.cut(vectors, given_vectors.token_name(number)), kept.stored)
        for number, vectors in given.items()
    }


def _final_ids(store: Store, given: Sequence[DocumentId | None]) -> list[DocumentId]:
    """Numbers for documents without an id: above every number the index has ever held."""
    numbers = [id_ + 1 for id_ in given if isinstance(id_, int)]
    following = max([store.whole_number("next_id"), *numbers])
    result: list[DocumentId] = []
    for id_ in given:
        if id_ is None:
            if following > batch.LARGEST_ID:
                raise InputError(
                    f"the index holds the largest number, {batch.LARGEST_ID}, so none follows: "
                    "give ids"
                )
            result.append(following)
            following += 1
        else:
            result.append(id_)
    store.set_fact("next_id", str(following))
    return result
