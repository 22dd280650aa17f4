"""Tables that follow the documents, each only where it was asked for: written and cut in the same
transaction as the documents themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_mrl.index.companions import lexical, payload_index, sparse, tokens
from edge_mrl.index.storage.facts import Facts
from edge_mrl.slices import Slice

_COMPANIONS = (payload_index, lexical, sparse, tokens)
"""Each has `add` and `remove`."""


def add(facts: Facts, rows: Sequence[int]) -> None:
    """Documents were written as these rows. Call inside `Facts.write()`."""
    for companion in _COMPANIONS:
        companion.add(facts, rows)


def remove(facts: Facts, rows: Sequence[int]) -> None:
    """Documents of these rows are about to be deleted. Call inside `Facts.write()`."""
    for companion in _COMPANIONS:
        companion.remove(facts, rows)


def prepare_like(new: Facts, old: Facts, token_slice: Slice | None = None) -> None:
    """Make what another index keeps beside its documents, before they are copied from it; of its
    token vectors perhaps a smaller slice. Call inside `new.write()` and `old.read()`.

    Raises:
        InputError: a slice is given, and the other index keeps no token vectors.
        SliceError: it needs more than is kept of them.
        UntrainedDimError: it is not of a trained size.
    """
    for key in payload_index.keys(old):
        payload_index.create(new, key)
    tokenizer = lexical.tokenizer(old)
    if tokenizer is not None:
        lexical.create(new, tokenizer)
    kept = tokens.layout(old) if token_slice is None else tokens.required(old)
    if kept is not None:
        tokens.create(new, kept if token_slice is None else kept.resliced(token_slice))


def copy(new: Facts, old: Facts, rows: Mapping[int, int]) -> None:
    """Copy what no document says itself, its sparse vector and token vectors, from old rows to new
    ones. Call inside `new.write()` and `old.read()`."""
    found = {row: sparse.vector_of(old, source) for source, row in rows.items()}
    sparse.write(new, {row: vector for row, vector in found.items() if vector is not None})
    tokens.copy(new, old, rows)
