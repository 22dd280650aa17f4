"""The result of planning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.planning.search_cost import Home


@dataclass(frozen=True, slots=True)
class Plan:
    """What a device runs for so many documents, what that is predicted to cost and to keep, and
    why.

    Attributes:
        device: the profile's name.
        documents: for how many documents this holds.
        variant: the name of the bundle's variant.
        threads: threads of the engine for a query.
        max_tokens: sequence length: where a text is cut, special tokens counted; None for never.
        layout: the stored slice in the file, the scan slice, and the refine slice where one pays.
        scan_home: whether the scan codes are held in memory (``"ram"``) or read from the file by
            each search (``"disk"``).
        scan_budget_bytes: what the scan codes, and after them the stored rows, may take in memory.
        row_cache_bytes: what stored rows may take that are held in memory: all of them, or 0.
        shortlists: candidates that each stage of a search hands on: the scan's to the refine slice
            where there is one; the last ones are re-read from storage at the stored slice.
        add_batch: documents that are added in one transaction.
        memory_bytes: resident memory of the process that searches: base, encoder, scan and refine
            codes, stored rows that are held, working buffers.
        adding_bytes: the same at the peak of adding documents, `add_batch` at a time.
        encoder_bytes: the part of it that does not grow with the documents.
        index_file_bytes: size of the index file.
        query_latency_ms: one search without the encoder, 95th percentile.
        embedding_latency_ms: embedding a query of 32 tokens.
        recall: expected share of the stored slice's top 10 that the scan's shortlist holds.
        quality_kept: expected nDCG@10 as a fraction of the full fp32 vector's: the stored slice's,
            times `recall`.
        ndcg_at_10: what that comes to on the texts of the bundle's quality table.
        bound_by: the budget that keeps something better out (a slice that keeps more, else longer
            texts, else a faster variant, else codes in memory): memory, storage, latency or
            embedding; None where none does.
        budget_shares: what share of each of these budgets is used.
        because: one reason for each choice; the first says what is over the budget `bound_by`, in
            numbers.
    """

    device: str
    documents: int
    variant: str
    threads: int
    max_tokens: int | None
    layout: IndexLayout
    scan_home: Home
    scan_budget_bytes: int
    row_cache_bytes: int
    shortlists: tuple[int, ...]
    add_batch: int
    memory_bytes: int
    adding_bytes: int
    encoder_bytes: int
    index_file_bytes: int
    query_latency_ms: float
    embedding_latency_ms: float
    recall: float
    quality_kept: float
    ndcg_at_10: float
    bound_by: str | None
    budget_shares: Mapping[str, float]
    because: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """The plan as plain values for a JSON document."""
        return {
            "device": self.device,
            "documents": self.documents,
            "fits": True,
            "variant": self.variant,
            "threads": self.threads,
            "max_tokens": self.max_tokens,
            "stored": str(self.layout.stored),
            "scan": str(self.layout.scan),
            "refine": None if self.layout.refine is None else str(self.layout.refine),
            "scan_home": self.scan_home,
            "scan_budget_bytes": self.scan_budget_bytes,
            "row_cache_bytes": self.row_cache_bytes,
            "shortlists": list(self.shortlists),
            "add_batch": self.add_batch,
            "memory_bytes": self.memory_bytes,
            "adding_bytes": self.adding_bytes,
            "encoder_bytes": self.encoder_bytes,
            "index_file_bytes": self.index_file_bytes,
            "query_latency_ms": round(self.query_latency_ms, 3),
            "embedding_latency_ms": round(self.embedding_latency_ms, 3),
            "recall": self.recall,
            "quality_kept": round(self.quality_kept, 4),
            "ndcg_at_10": round(self.ndcg_at_10, 4),
            "bound_by": self.bound_by,
            "budget_shares": {name: round(x, 4) for name, x in self.budget_shares.items()},
            "because": list(self.because),
        }
