"""The index: documents and their vectors in one file, searched through a funnel."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from edge_mrl.index.adding import Adding
from edge_mrl.index.format.layout import IndexLayout, default_layout
from edge_mrl.index.planned import Follower, follower_for
from edge_mrl.index.querying.search import Querying
from edge_mrl.index.records import Document, DocumentId
from edge_mrl.index.text_encoder import TextEncoder
from edge_mrl.index.writing import batch
from edge_mrl.slices import check_trained, trained_sizes

if TYPE_CHECKING:
    from edge_mrl.index.opening import Opened

_Path = str | os.PathLike[str]


class Index(Adding, Querying):
    """Documents, searchable by meaning, in one file.

    Make one with `Index.open` or `Index.create`, and close it or use it in a ``with`` statement.
    Whatever `add`, `upsert` and `delete` acknowledged is on the disk when they return. One process
    writes at a time; any number of others read beside it and see new documents at their next
    search. An `Index` belongs to the thread that opened it; each thread, and each process after a
    fork, opens its own. Once the file was moved, deleted or replaced, writing is refused, and a
    reader keeps what it had.
    """

    def __init__(
        self,
        opened: Opened,
        encoder: TextEncoder | None,
        memory_budget: int | None = None,
        follower: Follower | None = None,
        row_cache: int | None = None,
    ) -> None:
        if follower is not None:
            memory_budget = _planned_budget(follower, opened, memory_budget)
        super().__init__(opened, encoder, memory_budget)
        self._planned_rows = row_cache is None
        if row_cache is not None:
            self._searcher.cache_bytes = row_cache
        elif follower is not None:
            self._searcher.cache_bytes = follower.plan.row_cache_bytes
        self._follower = follower

    @classmethod
    def open(
        cls,
        path: _Path,
        encoder: TextEncoder | None = None,
        *,
        layout: IndexLayout | None = None,
        memory_budget: int | None = None,
        row_cache: int | None = None,
        profile: object = None,
        on_plan_change: Callable[[Any], None] | None = None,
    ) -> Self:
        """Open an index; make it where it is missing and an encoder is given.

        Args:
            path: the file.
            encoder: needed to add or search texts. Without it: vectors only.
            layout: for a new index; default the encoder's plan, then `default_layout`.
            memory_budget: bytes that the scan codes may take in memory; default no limit. Where
                they need more, each search reads them from the file: the same hits, later.
            row_cache: bytes that stored rows may take in memory, within the budget, so that they
                are read from the file once; default the plan's, or 4 MiB. All rows are held, or
                none where they do not fit.
            profile: a device, as in `Encoder.load`; default the encoder's, if it was loaded with
                one. The index then obeys the plan for it: the slices of a new index, the memory for
                the scan codes and for stored rows. As the index grows the plan is made anew.
            on_plan_change: called with a `PlanChange` where the new plan differs from the old one.
                `plan` holds the plan, `plan_advice` what would be better, in words.

        Raises:
            IndexFileError: missing without an encoder, damaged, not an index, or of a newer schema.
            IndexMismatchError: the index belongs to another model.
            SliceError: the encoder's vectors are too narrow, or the file has another layout.
            InputError: the encoder is none, the memory budget is no number of bytes, or a profile
                is given without an encoder that can plan.
            ProfileError: the profile is unknown or wrong.
            PlanError: the index does not fit the device; says by how much, and what would have to
                give.
        """
        from edge_mrl.index import opening

        budget = batch.check_budget(memory_budget, "memory_budget")
        row_cache = batch.check_budget(row_cache, "row_cache")
        follower = follower_for(encoder, profile)
        if follower is not None:
            follower.on_change = on_plan_change
            if layout is None and not opening.exists(Path(path)):
                layout = follower.new_layout()
        opened = opening.open_or_make(Path(path), encoder, layout)
        try:
            return cls(opened, encoder, budget, follower, row_cache)
        except BaseException:
            opened.store.close()
            raise

    @classmethod
    def create(
        cls,
        path: _Path,
        *,
        dim: int,
        matryoshka_dims: Sequence[int],
        identity: str,
        model_name: str | None = None,
        layout: IndexLayout | None = None,
    ) -> Self:
        """Make an index for vectors that come from elsewhere.

        Args:
            path: a file that does not exist.
            dim: width of the vectors, a trained size.
            matryoshka_dims: the sizes that the model was trained for.
            identity: names the vector space; any text that you keep the same for the same model.
            model_name: for people; default the identity.
            layout: default `default_layout`.

        Raises:
            IndexFileError: the file exists or cannot be made.
            UntrainedDimError: `dim` or the layout is not a trained size.
            SliceError: the layout is wider than `dim`.
            InputError: the sizes or names cannot be used.
        """
        from edge_mrl.index import opening
        from edge_mrl.index.storage.meta import IndexMeta

        sizes = trained_sizes(matryoshka_dims)
        chosen = layout or default_layout(check_trained(dim, sizes), sizes)
        meta = IndexMeta.checked(dim, sizes, identity, model_name or identity, chosen)
        return cls(opening.make(Path(path), meta), None)

    def __repr__(self) -> str:
        return f"<Index {str(self._store.path)!r}, {self._meta.model_name!r}, {self.layout}>"

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @property
    def layout(self) -> IndexLayout:
        """The slices that the file keeps."""
        return self._meta.layout

    def get(self, ids: Sequence[DocumentId], *, with_vectors: bool = False) -> list[Document]:
        """Documents by id, in the order of the ids; ids that are not there are left out.

        Args:
            ids: the ids.
            with_vectors: whether the vectors of each come along, dense, sparse and of tokens.

        Raises:
            InputError: something is not an id.
            IndexFileError: a document is damaged; names it.
        """
        wanted = [batch.check_id(id_) for id_ in batch.as_list(ids, "ids")]
        with self._store.read():
            found = self._store.documents_by_id(wanted)
            if with_vectors:
                from edge_mrl.index.searching.stored_vectors import with_stored_vectors

                found = with_stored_vectors(self._store, found, self._meta.layout.stored)
        return [found[id_] for id_ in wanted if id_ in found]


def _planned_budget(follower: Follower, opened: Opened, given: int | None) -> int:
    """The bytes that the plan for an index as it is leaves for its codes and rows."""
    from edge_mrl.index.searching.searcher import Searcher
    from edge_mrl.index.stats import gather

    holds_nothing = Searcher(opened.store, opened.meta.layout, memory_budget=0)
    figures = gather(opened.store, holds_nothing, opened.meta)
    planned = follower.start(figures).scan_budget_bytes
    return planned if given is None else min(given, planned)
