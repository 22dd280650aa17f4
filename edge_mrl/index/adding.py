"""Adding to an index, replacing and removing: all of a batch or none of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import numpy.typing as npt

from edge_mrl.index.administration import Administration
from edge_mrl.index.companions.following import Following
from edge_mrl.index.records import DocumentId, Incoming, Record
from edge_mrl.index.writing import batch

if TYPE_CHECKING:
    from edge_mrl.retrieval.multi_vector import MultiVector
    from edge_mrl.retrieval.sparse_vector import SparseVector


class Adding(Administration, Following):
    """The part of `Index` that adds documents, replaces and removes them."""

    _planned_rows: bool

    def add(
        self,
        texts: Sequence[str] | None = None,
        *,
        ids: Sequence[DocumentId] | None = None,
        metadata: Sequence[dict[str, object] | None] | None = None,
        vectors: npt.ArrayLike | None = None,
        sparse: Sequence[SparseVector | None] | None = None,
        token_vectors: Sequence[npt.ArrayLike | MultiVector | None] | None = None,
    ) -> list[DocumentId]:
        """Add documents, all or none; they are on the disk when this returns.

        Args:
            texts: n texts. Without `vectors` they are embedded; with them they are only stored.
            ids: n ids, int or str, not in the index yet. Default: the next whole numbers, from 1.
            metadata: n JSON objects.
            vectors: (n, d) numbers, d the width of the index or a trained size not below the stored
                one.
            sparse: n sparse vectors that go with the documents; None where one has none.
            token_vectors: n arrays of shape (tokens, width) that go with the documents, None where
                one has none; needs `create_token_index`. Without them, an index whose model makes
                token vectors makes them of the texts that it embeds.

        Returns:
            The n ids.

        Raises:
            InputError: anything above does not hold, or an id is taken. Nothing was added.
            IndexFileError: the file cannot be written, or another process keeps writing.
        """
        incoming = Incoming(texts, ids, metadata, vectors, sparse, token_vectors)
        return self._put(incoming, replace=False)

    def upsert(
        self,
        texts: Sequence[str] | None = None,
        *,
        ids: Sequence[DocumentId] | None = None,
        metadata: Sequence[dict[str, object] | None] | None = None,
        vectors: npt.ArrayLike | None = None,
        sparse: Sequence[SparseVector | None] | None = None,
        token_vectors: Sequence[npt.ArrayLike | MultiVector | None] | None = None,
    ) -> list[DocumentId]:
        """As `add`, but a document whose id is taken is replaced."""
        incoming = Incoming(texts, ids, metadata, vectors, sparse, token_vectors)
        return self._put(incoming, replace=True)

    def add_stream(
        self,
        records: Iterable[Record],
        *,
        batch_size: int | None = None,
        upsert: bool = False,
        on_progress: Callable[[int], None] | None = None,
    ) -> int:
        """Add any number of records in bounded memory, each batch durable before the next is read.

        Args:
            records: texts with ids and metadata; read as they are needed.
            batch_size: records in one transaction, 1 or more; default the plan's, or 1000; at most
                100 where the index's model makes token vectors, which are held until then.
            upsert: replace documents whose id is taken, instead of refusing them.
            on_progress: called after each batch with how many were added so far.

        Returns:
            How many were added.

        Raises:
            InputError: as `add`; the batches before the faulty one stay.
            IndexFileError: as `add`.
        """
        done = 0
        if batch_size is None:
            batch_size = 1000 if self.plan is None else self.plan.add_batch
            if self.token_vectors_by_model:
                batch_size = min(batch_size, 100)
        for part in batch.batches(records, batch.check_batch_size(batch_size)):
            batch.check_records(part)
            self._put(Incoming.of(part), replace=upsert)
            done += len(part)
            if on_progress is not None:
                on_progress(done)
        return done

    @contextmanager
    def bulk_load(self) -> Iterator[Self]:
        """Add much without waiting for the disk after each batch; on it when the block ends.

        Until then a power cut may take back the latest batches, whole ones, at worst all since the
        block began. The file stays sound, and a crash of the program alone loses nothing.

        Raises:
            IndexFileError: as `add`, also at the end of the block.
        """
        with self._store.relaxed():
            yield self

    def delete(self, ids: Sequence[DocumentId]) -> int:
        """Remove documents; ids that are not there are passed over.

        Returns:
            How many were removed.

        Raises:
            InputError: something is not an id.
            IndexFileError: the file cannot be written.
        """
        wanted = list(dict.fromkeys(batch.check_id(id_) for id_ in batch.as_list(ids, "ids")))
        from edge_mrl.index.writing import documents

        with self._store.write():
            return documents.delete(self._store, wanted)

    def _put(self, incoming: Incoming, *, replace: bool) -> list[DocumentId]:
        from edge_mrl.index.writing.ingest import prepare_batch, write_batch

        prepared = prepare_batch(incoming, self._encoder, self._meta, self._store)
        ids = write_batch(self._store, prepared, self._meta, replace=replace)
        self._searcher.measure_if_due()
        if self._follower is not None and self._follower.is_outgrown(self.count()):
            self._follower.grow(self.stats())
            if self._planned_rows:
                self._searcher.cache_bytes = self._follower.plan.row_cache_bytes
        return ids
