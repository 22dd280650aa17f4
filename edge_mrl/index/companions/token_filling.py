"""Token vectors of documents that were in the index before it kept any."""

from __future__ import annotations

from collections.abc import Callable

from edge_mrl.index.companions import tokens
from edge_mrl.index.companions.token_encoding import TokenEncoder, encode_documents
from edge_mrl.index.format.token_layout import TokenLayout
from edge_mrl.index.storage.store import Store

_DOCUMENTS = 100
"""Documents of one transaction; the file is not locked while the model runs."""


def fill(
    store: Store,
    encoder: TokenEncoder,
    kept: TokenLayout,
    on_progress: Callable[[int], None] | None,
) -> None:
    """Make what is missing, a batch at a time, each durable before the next.

    Args:
        store: an open store that keeps token vectors as `kept` says.
        encoder: gives them.
        kept: the layout.
        on_progress: called with the number of documents looked at so far.

    Raises:
        IndexFileError: the file cannot be written; the batches before stay.
    """
    last = done = 0
    while True:
        with store.read():
            found = store.documents_after(last, _DOCUMENTS)
            having = tokens.present(store, list(found))
        if not found:
            return
        lacking = [row for row in found if row not in having]
        last = max(found)
        done += len(found)
        if lacking:
            _, codes = encode_documents(encoder, [found[row].text for row in lacking], kept)
            by_row = {lacking[number]: body for number, body in codes.items()}
            _write(store, by_row, kept)
        if on_progress is not None:
            on_progress(done)


def _write(store: Store, codes: dict[int, bytes], kept: TokenLayout) -> None:
    with store.write():
        # Another process may have deleted the token index, or some of the documents, meanwhile.
        if tokens.layout(store) != kept:
            return
        rows = list(codes)
        alive = store.ids_of(rows).keys() - tokens.present(store, rows)
        tokens.write(store, {row: codes[row] for row in sorted(alive)})
