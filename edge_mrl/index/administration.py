"""Looking after an index: what it keeps beside its documents, its figures, its model."""

from __future__ import annotations

import os
from pathlib import Path

from edge_mrl.index import (
    bundle_place,
    lexical,
    opening,
    payload_index,
    segment_store,
    sparse,
)
from edge_mrl.index.meta import IndexMeta
from edge_mrl.index.planned import Follower
from edge_mrl.index.searcher import Searcher
from edge_mrl.index.stats import IndexStats, gather
from edge_mrl.index.store import Store


class Administration:
    """The part of `Index` that looks after the file."""

    _store: Store
    _meta: IndexMeta
    _searcher: Searcher
    _follower: Follower | None

    @property
    def bundle(self) -> Path | None:
        """The bundle's folder as `remember_bundle` left it, also after both were moved together;
        None where it was not called."""
        with self._store.read():
            return bundle_place.recall(self._store)

    def remember_bundle(
        self, bundle: str | os.PathLike[str], place: str | os.PathLike[str] | None = None
    ) -> None:
        """Write down where the model is, so that a later search can find it.

        Args:
            bundle: the bundle's folder.
            place: where the index file will be moved to; default where it is.

        Raises:
            IndexFileError: the file cannot be written.
        """
        with self._store.write():
            bundle_place.remember(self._store, Path(bundle), Path(place or self._store.path))

    def check_model(self, identity: str, model_name: str) -> None:
        """Check that the index belongs to a model, before its encoder is loaded.

        Raises:
            IndexMismatchError: it belongs to another; names both.
        """
        opening.check_model(self._store.path, self._meta, identity, model_name)

    def create_payload_index(self, key: str) -> None:
        """Index a metadata key, so that filters on it need not read every document.

        Conditions of `must`, and of `should` where all of them are on indexed keys, are looked up.

        Args:
            key: as in a filter, e.g. ``author.name`` or ``tags[].name``.

        Raises:
            InputError: the key cannot be read.
            IndexFileError: the file cannot be written, or the metadata in it is damaged.
        """
        with self._store.write():
            payload_index.create(self._store, key)

    def delete_payload_index(self, key: str) -> None:
        """Remove what `create_payload_index` made; does nothing where there is none."""
        with self._store.write():
            payload_index.drop(self._store, key)

    @property
    def payload_indexes(self) -> tuple[str, ...]:
        """The metadata keys that are indexed, sorted."""
        with self._store.read():
            return tuple(sorted(payload_index.keys(self._store)))

    def create_lexical_index(self, tokenizer: str = "unicode61") -> None:
        """Index the words of all documents, for BM25; kept in step with them from then on.

        Made anew where there is one already. Words take about half a byte for each byte of text;
        see docs/retrieval.md.

        Args:
            tokenizer: ``"unicode61"`` cuts words at anything that is no letter or digit and drops
                accents; ``"porter"`` takes English words by their stems on top; ``"trigram"`` takes
                every three letters, for scripts without spaces and for parts of words.

        Raises:
            InputError: there is no such tokenizer.
            IndexFileError: the file cannot be written, or this SQLite has no FTS5.
        """
        name = lexical.check_tokenizer(tokenizer)
        with self._store.write():
            lexical.create(self._store, name)

    def delete_lexical_index(self) -> None:
        """Remove what `create_lexical_index` made; does nothing where there is none."""
        with self._store.write():
            lexical.drop(self._store)

    @property
    def lexical_index(self) -> str | None:
        """The tokenizer of the lexical index; None where there is none."""
        with self._store.read():
            return lexical.tokenizer(self._store)

    def optimize(self) -> None:
        """Free the space of deleted documents, repack the scan codes, measure the shortlist anew.

        Raises:
            IndexFileError: the file cannot be written, or a stored vector is damaged.
        """
        with self._store.write():
            self._store.recount()
            segment_store.rebuild(self._store, self._meta.layout)
            sparse.rebuild(self._store)
            lexical.optimize(self._store)
        self._store.shrink()
        self._searcher.measure()
        if self._follower is not None:
            self._follower.grow(self.stats())

    def stats(self) -> IndexStats:
        """The index in figures."""
        return gather(self._store, self._searcher, self._meta)
