"""An index in figures."""

from __future__ import annotations

from dataclasses import dataclass

from edge_mrl import kernel
from edge_mrl.index.companions import tokens
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.searching.funnel import MEASURED_K, Measurement, shortlists_for
from edge_mrl.index.searching.searcher import Searcher
from edge_mrl.index.storage.meta import IndexMeta
from edge_mrl.index.storage.store import Store
from edge_mrl.slices import Slice


@dataclass(frozen=True, slots=True)
class IndexStats:
    """An index in figures.

    Attributes:
        documents: how many it holds.
        file_bytes: the file and its write-ahead log.
        used_bytes: what of the file is in use; the rest waits for new documents.
        resident_bytes: packed codes held in memory for a search. Stored rows that are kept once
            they were read come on top: at most 4 MiB, or what a plan says.
        layout: its slices.
        dim: width of the vectors it was made for.
        matryoshka_dims: the trained sizes of the model.
        identity: the vector space it belongs to.
        model_name: the model's name.
        shortlists: candidates that a search for 10 hits hands from step to step; the last number
            is how many it rereads at the stored precision at most.
        rows_reread: how many of these the searches of this open index without a filter have
            reread, on average; None before the first.
        expected_recall: the share of the exact top 10 of the stored vectors, which `exact=True`
            gives, that such a search finds, measured on them; None before the first measurement.
        float32_recall: the same of the float32 vectors that were added, whose top 10 the stored
            precision changes a little; None where it is not known.
        measurement: that measurement: the interval of the recall, on how many documents and
            queries; None before the first.
        kernel: which scan runs.
        token_slice: what is kept of each token vector; None where none are.
    """

    documents: int
    file_bytes: int
    used_bytes: int
    resident_bytes: int
    layout: IndexLayout
    dim: int
    matryoshka_dims: tuple[int, ...]
    identity: str
    model_name: str
    shortlists: tuple[int, ...]
    rows_reread: float | None
    expected_recall: float | None
    float32_recall: float | None
    measurement: Measurement | None
    kernel: str
    token_slice: Slice | None


def gather(store: Store, searcher: Searcher, meta: IndexMeta) -> IndexStats:
    """Read the figures of an open index."""
    with store.read():
        resident_bytes = searcher.resident_bytes()
        count = store.count()
        measured = searcher.measurement()
        kept = tokens.layout(store)
        used = store.used_bytes()
    return IndexStats(
        documents=count,
        file_bytes=store.file_bytes(),
        used_bytes=used,
        resident_bytes=resident_bytes,
        layout=meta.layout,
        dim=meta.dim,
        matryoshka_dims=meta.matryoshka_dims,
        identity=meta.identity,
        model_name=meta.model_name,
        rows_reread=searcher.rows_reread,
        shortlists=shortlists_for(measured, meta.layout, max(1, count), MEASURED_K),
        expected_recall=None if measured is None else measured.recall,
        float32_recall=None if measured is None else measured.float32_recall,
        measurement=measured,
        kernel=kernel.info().name,
        token_slice=None if kept is None else kept.stored,
    )
