"""What a variant and an index layout cost. Pure arithmetic; every constant of the planner stands
here.

The reference machine, to which `DeviceFacts.core_speed` is relative, is one core of an x86-64
server with AVX-512 (AMD EPYC, Zen 4, 2.6 GHz, 2026). Where a constant was measured, its comment
says how; where not, it says estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge_mrl.bundle.manifest import Precision, VariantFormat
from edge_mrl.index.layout import IndexLayout
from edge_mrl.planning.facts import BundleFacts, VariantFacts
from edge_mrl.planning.profile import DeviceFacts
from edge_mrl.slices import Slice

MIB = 2**20

TOP_K = 10
"""Results that a search is planned for: quality is nDCG@10, so the top 10."""

# --- memory of the process and the encoder ---

PROCESS_BASE_BYTES = 29 * MIB
"""Python 3.11 with `edge_mrl` imported, and with it numpy, tokenizers and sqlite3: 28.2 MiB
resident on x86-64."""

TOKENIZER_MEMORY_FACTOR = 9.0
"""Resident bytes per byte of tokenizer.json: 16.4 MiB for wordllama's 1.8 MB, 4.2 MiB for MiniLM's
0.47 MB."""

ENGINE_BYTES: dict[VariantFormat, float] = {"table": 0.0, "onnx": 53 * MIB, "tflite": 16 * MIB}
"""Resident bytes of an engine and its buffers, without weights.

From MiniLM's resident memory in MB (onnxruntime 1.31, one thread, arena off): int8 113, of which 23
are weights and 35 process and tokenizer. tflite (ai-edge-litert 2.3): 10 MB for the library, the
rest are buffers.
"""

WEIGHT_FACTOR: dict[tuple[VariantFormat, Precision], float] = {
    ("onnx", "fp32"): 1.35,
    ("onnx", "fp16"): 2.0,
    ("onnx", "int4"): 1.1,
    ("onnx", "int8-portable"): 2.8,
    ("tflite", "fp32"): 2.3,
    ("tflite", "fp16"): 8.3,
    ("tflite", "int8-fast"): 2.8,
    ("tflite", "int8-portable"): 18.6,
}
"""Resident bytes per byte of model file, where it is not 1.

From the same run: fp32 212 MB in all for a 90.4 MB file, fp16 180 for 45.3 (kept twice: cast up to
fp32), int4 106 for 14.3. onnx int8-portable: 160 for 24.1, since the weights are unpacked to
float32 at load. tflite, with signatures for 16, 64 and 256 tokens, each of which keeps a packed
copy of its own, and unpacks fp16 and int8-portable to float32 for it: fp32 264 for 91.2, fp16 436
for 46.5, int8-fast 124 for 26.0, int8-portable 534 for 26.1. That is too much for a static table as
TFLite, which has no products to pack; the same table for numpy is cheaper anyway. Elsewhere the
file is read or mapped once.
"""

# --- relative time of the encoder ---

ENCODE_TIME: dict[tuple[VariantFormat, Precision], float] = {
    ("tflite", "int8-fast"): 0.35,
    ("tflite", "int8-portable"): 0.87,
    ("tflite", "fp16"): 0.89,
    ("tflite", "fp32"): 0.89,
    ("onnx", "int8-fast"): 0.45,
    ("onnx", "int8-portable"): 0.97,
    ("onnx", "fp16"): 0.96,
    ("onnx", "int4"): 0.99,
}
"""CPU time of one text relative to ONNX fp32: MiniLM through this runtime, 256 tokens, one thread,
x86-64, the least of six rounds with all variants in turn.

Only the order matters here. On boards without int8 dot products the gain of int8 is smaller.
"""

TABLE_ENCODE_TIME = 0.001
"""The same for a static table: 6 to 25 microseconds against milliseconds."""

THREADS = 1
"""onnxruntime's default of several threads took 5.1 ms for a short text, one thread 2.3 (x86-64, 2
cores)."""

# --- memory and size of the index ---

RESIDENT_ROW_BYTES = 10
"""What stands in memory beside a row's scan codes: its number (int64) and its gain (uint16)."""

INDEX_WORKING_BYTES = 13 * MIB
"""SQLite and its page cache, and the scores of one segment. Measured: 17 MiB more than before it
was opened for an index of 100 000 rows of 256x1, of which 4.0 are the rows; 14 MiB for 20 000 rows
of 256x2, of which 1.4."""

RERANK_BYTES = 32
"""Peak bytes per shortlisted coordinate: float32 and its copies. Measured: 75 MiB for 6412 rows of
384x32 (32 bytes a coordinate), 12 MiB for 2331 rows of 256x8 (21)."""

VECTOR_ROW_BYTES = 10
"""A stored vector's checksum (4 bytes) and SQLite's cell and record headers (6)."""

DOCUMENT_ROW_BYTES = 20
"""A document's id, empty metadata and SQLite's headers."""

ID_INDEX_BYTES = 20
"""A document's entry in the unique index over ids."""

PAGE_BYTES = 4096
PAGE_ROOM = 4088
"""SQLite's default page, and what its 8-byte header leaves (SQLite, Database File Format)."""

DEFAULT_TEXT_BYTES = 500
"""Bytes of text a document, a paragraph, where nobody says."""

# --- time of a query ---

SCAN_NS_PER_BYTE = {1: 0.065, 2: 0.065, 4: 0.065, 8: 0.085}
SCAN_NS_PER_ROW = 0.3
"""Nanoseconds of the compiled kernel per byte of codes, by bits, and per row, on the reference
machine, *with 128-bit vectors*, because that is what the boards' NEON has.

Measured with 100 000 rows, keeping 20: 2.2 ns a row at 256x1, 7.3 at 256x4, 6.0 at 64x8, 22 at
256x8. The reference machine's own AVX-512 takes half of that (1.1, 4.2, 3.1, 9.2) and waits for
memory. Without a compiled kernel numpy takes 25 times as long (55 ns a row at 256x1).
"""

WARM_ROW_SECONDS = 4e-6
"""Reading, checking and rescoring one shortlisted row that is in the page cache, on the reference
machine. Measured: 3.0 us at 256x8, from the difference of shortlists of 62 and 293 rows."""

QUERY_SECONDS = 0.4e-3
"""What every search costs besides, on the reference machine: SQL statements, the texts of the hits.
Measured: 0.25 to 0.35 ms at 10 000 and 100 000 rows."""

PAGE_CACHE_SHARE = 0.25
"""The share of the device's memory that, on a device in use, holds pages of the index file.
Assumption."""

MOST_CACHED = 0.95
"""Never count on more of the file than this being cached: latency is a 95th percentile.
Assumption."""

# --- shortlist ---

TABLE_RECALL = 0.99
"""The recall for which the manifest's `shortlist` holds, by its definition."""

MISS_EXPONENT = 0.7
"""excess over the top 10 ~ (1 - recall) ** -0.7: fits the lists for 95 % and 99 % of MiniLM at 32
to 384 dimensions and 1 to 32 bits (the excess ratios are mostly 3.0 to 3.7 for a
fifth of the miss; 5 ** 0.7 = 3.1)."""

STORED_SAFETY = 3.0
STORED_EXTRA = 10
"""How long a list must be for a *smaller* stored slice's own top 10; see `shortlist_rows`."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one choice costs on one device.

    Attributes:
        encoder_bytes: resident memory of process, tokenizer, engine and weights.
        index_bytes: resident memory of the index: codes, row numbers, working buffers.
        bundle_bytes: files of the variant on disk.
        file_bytes: the index file.
        latency: seconds of a search.
    """

    encoder_bytes: int
    index_bytes: int
    bundle_bytes: int
    file_bytes: int
    latency: float

    @property
    def memory_bytes(self) -> int:
        """Resident memory in all."""
        return self.encoder_bytes + self.index_bytes

    @property
    def storage_bytes(self) -> int:
        """Disk in all."""
        return self.bundle_bytes + self.file_bytes


def encoder_memory(variant: VariantFacts) -> int:
    """Resident bytes of a process that has this variant loaded."""
    factor = WEIGHT_FACTOR.get((variant.format, variant.precision), 1.0)
    return round(
        PROCESS_BASE_BYTES
        + TOKENIZER_MEMORY_FACTOR * variant.tokenizer_bytes
        + ENGINE_BYTES[variant.format]
        + factor * variant.model_bytes
    )


def encode_time(variant: VariantFacts) -> float:
    """Time of one text relative to ONNX fp32 of the same model."""
    if variant.format == "table":
        return TABLE_ENCODE_TIME
    return ENCODE_TIME.get((variant.format, variant.precision), 1.0)


def index_memory(layout: IndexLayout, documents: int, rows: int) -> int:
    """Resident bytes of an index at the peak of a search that re-reads `rows` rows."""
    codes = documents * (layout.scan.code_bytes + RESIDENT_ROW_BYTES)
    return INDEX_WORKING_BYTES + codes + RERANK_BYTES * rows * layout.stored.dim


def index_file(layout: IndexLayout, documents: int, text_bytes: int) -> int:
    """Bytes of the index file: texts, stored vectors, and the scan codes kept for a fast open."""
    document = _varying_row(text_bytes + DOCUMENT_ROW_BYTES) + ID_INDEX_BYTES
    return round(documents * (document + _vector_row(layout.stored) + layout.scan.nbytes))


def _vector_row(stored: Slice) -> float:
    """Bytes of file for one stored vector; all have one length, so pages hold a whole number."""
    row = stored.nbytes + VECTOR_ROW_BYTES
    if row <= PAGE_ROOM:
        return PAGE_BYTES / (PAGE_ROOM // row)
    return PAGE_BYTES * math.ceil(row / PAGE_ROOM)


def _varying_row(row: int) -> float:
    """Bytes of file for one row of mean length `row`.

    On average half a row's room is left in a page. Rows longer than a page spill into pages of
    their own; a fifth of a page each is lost (measured, texts of 5000).
    """
    spilled = row + 0.2 * PAGE_BYTES
    if row >= PAGE_ROOM:
        return spilled
    return min(row * PAGE_BYTES / (PAGE_ROOM - row / 2), spilled)


def cached_share(facts: DeviceFacts, stored: Slice, documents: int) -> float:
    """The share of the stored vectors that a search finds in the page cache.

    It rests on the device's memory, not on the budget: a larger budget never makes a plan slower.
    """
    vectors = documents * _vector_row(stored)
    if vectors == 0:
        return MOST_CACHED
    return min(MOST_CACHED, PAGE_CACHE_SHARE * facts.memory_bytes / vectors)


def query_latency(facts: DeviceFacts, layout: IndexLayout, documents: int, rows: int) -> float:
    """Seconds of one search: one core scores every code, then `rows` rows are read again."""
    scan_bytes = layout.scan.code_bytes
    reading = scan_bytes / facts.memory_read
    computing = 1e-9 * (SCAN_NS_PER_BYTE[layout.scan.bits] * scan_bytes + SCAN_NS_PER_ROW)
    scan = documents * max(reading, computing / facts.core_speed)
    warm = (QUERY_SECONDS + rows * WARM_ROW_SECONDS) / facts.core_speed
    # The texts of the hits are read as well.
    missed = 1 - cached_share(facts, layout.stored, documents)
    return scan + warm + (rows + TOP_K) * missed * facts.storage_random_read


def shortlist_rows(
    facts: BundleFacts, layout: IndexLayout, documents: int, recall: float
) -> int | None:
    """How many rows a scan must hand on to hold `recall` of the stored slice's top 10.

    The manifest's shortlist s(slice) covers the *full* vector's top 10 among the documents of the
    export. Both it and its growth law, s * (n / documents) ** g, are the exporter's. Two steps are
    ours:

    - another recall than 99 %: the excess over 10 goes with (1 - recall) ** -`MISS_EXPONENT`;
    - the stored slice is smaller than the full vector: its top 10 are nearer to the scan's than the
      full vector's are. The list is then min(s(scan), 10 + 10 + 3 * (sqrt(s(scan)) -
      sqrt(s(stored))) ** 2), and 10 where the two slices are the same. Square roots, because noise
      adds in quadrature. On wordllama (25 339 Debian package descriptions, 300 queries) this
      covered 99 % of the top 10 for each pair of 64, 128 and 256 dimensions and 8, 4, 2 and 1 bits,
      within rounding of the table; without the factor 3 and the 10 it missed at 2 and 4 bits.

    Returns:
        Rows, at most `documents`; None where the quality table lacks one of the two slices.
    """
    scan, stored = facts.quality_of(layout.scan), facts.quality_of(layout.stored)
    if scan is None or stored is None:
        return None
    if documents <= TOP_K:
        return documents
    if layout.scan == layout.stored:
        return TOP_K
    growth: float = 1.0
    if facts.quality.documents:
        growth = (documents / facts.quality.documents) ** facts.quality.shortlist_growth
    whole, part = max(TOP_K, scan.shortlist * growth), max(TOP_K, stored.shortlist * growth)
    noise = max(0.0, math.sqrt(whole) - math.sqrt(part)) ** 2
    needed = min(whole, TOP_K + STORED_EXTRA + STORED_SAFETY * noise)
    return min(documents, math.ceil(TOP_K + (needed - TOP_K) * miss_factor(recall) - 1e-9))


def miss_factor(recall: float) -> float:
    """What the excess of a shortlist for `TABLE_RECALL` is multiplied by for another recall."""
    factor: float = ((1 - TABLE_RECALL) / (1 - recall)) ** MISS_EXPONENT
    return factor
