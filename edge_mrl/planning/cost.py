"""What one choice costs on one device, all told. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """What one choice costs on one device.

    Attributes:
        encoder_bytes: resident memory of process, tokenizer, engine and weights.
        index_bytes: resident memory of the index while it is searched: codes, working buffers.
        ingest_bytes: the same while documents are added, as few at a time as a plan may choose.
        row_cache_bytes: stored rows that are held in memory besides.
        bundle_bytes: files of the variant on disk.
        file_bytes: the index file.
        latency: seconds of a search.
        embedding: seconds for embedding a query.
    """

    encoder_bytes: int
    index_bytes: int
    ingest_bytes: int
    row_cache_bytes: int
    bundle_bytes: int
    file_bytes: int
    latency: float
    embedding: float

    @property
    def memory_bytes(self) -> int:
        """Resident memory in all while searching."""
        return self.encoder_bytes + self.index_bytes + self.row_cache_bytes

    @property
    def peak_bytes(self) -> int:
        """Resident memory in all, while searching or adding."""
        return max(self.memory_bytes, self.encoder_bytes + self.ingest_bytes + self.row_cache_bytes)

    @property
    def storage_bytes(self) -> int:
        """Disk in all."""
        return self.bundle_bytes + self.file_bytes
