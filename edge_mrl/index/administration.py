"""Looking after an index: its figures, plan, space and model. What a search does without is loaded
at the first use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_mrl.index.planned import Follower
    from edge_mrl.index.searching.searcher import Searcher
    from edge_mrl.index.stats import IndexStats
    from edge_mrl.index.storage.meta import IndexMeta
    from edge_mrl.index.storage.store import Store


class Administration:
    """The part of `Index` that looks after the file."""

    _store: Store
    _meta: IndexMeta
    _searcher: Searcher
    _follower: Follower | None

    @property
    def plan(self) -> Any:
        """The `Plan` that the index obeys now; None where it was opened without a profile."""
        return None if self._follower is None else self._follower.plan

    @property
    def plan_advice(self) -> str | None:
        """What the plan would rather have than this index, in words; None where it is content."""
        return None if self._follower is None else self._follower.advice

    def count(self) -> int:
        """How many documents the index holds."""
        with self._store.read():
            return self._store.count()

    def __len__(self) -> int:
        return self.count()

    @property
    def bundle(self) -> Path | None:
        """The bundle's folder as `remember_bundle` left it, also after both were moved together;
        None where it was not called."""
        from edge_mrl.index.storage import bundle_place

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
        from edge_mrl.index.storage import bundle_place

        with self._store.write():
            bundle_place.remember(self._store, Path(bundle), Path(place or self._store.place))

    def check_model(self, identity: str, model_name: str) -> None:
        """Check that the index belongs to a model, before its encoder is loaded.

        Raises:
            IndexMismatchError: it belongs to another; names both.
        """
        from edge_mrl.index import opening

        opening.check_model(self._store.path, self._meta, identity, model_name)

    def optimize(self) -> None:
        """Free the space of deleted documents, repack the scan codes, measure the shortlist anew.

        A file of an older schema becomes one of the newest, which is smaller.

        Raises:
            IndexFileError: the file cannot be written, or a stored vector is damaged.
        """
        from edge_mrl.index.companions import lexical, sparse
        from edge_mrl.index.storage import segment_store
        from edge_mrl.index.storage.schema_sql import SCHEMA_VERSION

        with self._store.write():
            self._store.migrate(SCHEMA_VERSION)
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
        from edge_mrl.index.stats import gather

        return gather(self._store, self._searcher, self._meta)
