"""The device itself, measured: memory, scan, a search's own work, storage."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_mrl.calibration.load import Repeats
from edge_mrl.errors import CalibrationError
from edge_mrl.index import Index, IndexLayout
from edge_mrl.index.searching.row_costs import warm_row_seconds
from edge_mrl.kernel import BLOCK_ROWS, CodeBlock, prepare, scan
from edge_mrl.planning import search_cost
from edge_mrl.slices import Slice

READ_BYTES = 64 * 2**20
"""More than caches hold."""

SCAN = Slice(256, 2)
SCAN_ROWS = 204_800
STORED = search_cost.MEASURED_ROW

SMALL, MEASURED = 1900, 4000
"""Documents of the two indexes that are searched. The smaller one has measured nothing, so that a
search rereads 1000 of it; the larger one knows a shorter list. SQLite's own page cache holds the
texts of neither."""

TEXT = "a text of some five hundred letters, as a paragraph has; " * 9

QUERIES = 40

_LEAST_SECONDS = 1e-8
"""Below this, differences of times are noise."""

FILE_BYTES = 32 * 2**20
PAGE = 4096
RANDOM_READS = 200

_REPEATS = 7


def repeat(what: str, call: Callable[[], object], times: int = _REPEATS) -> Repeats:
    """Do something several times; the first is not counted, as it warms caches.

    The time is that of this thread alone: what waits for no disk takes as long by the clock on a
    machine at rest, and other programs hardly count.
    """
    call()
    seconds = []
    for _ in range(times):
        start = time.thread_time()
        call()
        seconds.append(time.thread_time() - start)
    return Repeats(what, tuple(seconds))


def memory_read(available: int | None) -> tuple[float, Repeats]:
    """Bytes a second that one core reads in a row.

    Args:
        available: bytes of memory that are free, None where nobody knows.
    """
    size = READ_BYTES if available is None else min(READ_BYTES, available // 4)
    values = np.ones(max(size, 2**20) // 4, dtype=np.float32)
    measured = repeat("reading memory", values.max)
    return values.nbytes / measured.best, measured


def scan_speed() -> tuple[float, Repeats]:
    """Speed of the scan relative to the constants of `search_cost`."""
    generator = np.random.default_rng(0)
    shape = (SCAN_ROWS // BLOCK_ROWS, SCAN.code_bytes, BLOCK_ROWS)
    codes = generator.integers(0, 256, shape, dtype=np.uint8)
    block = CodeBlock(codes, np.full(SCAN_ROWS, 1000, dtype=np.uint16))
    query = prepare(generator.standard_normal(SCAN.dim).astype(np.float32), SCAN.bits)
    measured = repeat("the scan", lambda: scan(query, [block], 100))
    expected = SCAN_ROWS * search_cost.scan_seconds_per_row(SCAN)
    return expected / measured.best, measured


@dataclass(frozen=True, slots=True)
class SearchTimes:
    """What a search takes besides the scan, in seconds.

    Attributes:
        base: whatever is searched.
        row_read: rereading one row of `STORED` whose page is cached.
        row_held: the same for a row that is held in memory.
    """

    base: float
    row_read: float
    row_held: float

    @property
    def core_speed(self) -> float:
        """Speed of such work relative to the constants of `search_cost`."""
        ratios = (
            search_cost.QUERY_SECONDS / self.base,
            warm_row_seconds(STORED) / self.row_read,
        )
        return math.sqrt(math.prod(ratios))


def search_times(folder: Path) -> tuple[SearchTimes, tuple[Repeats, ...]]:
    """What a search does besides the scan.

    An index that rereads few rows is searched, and one that rereads many, with and without stored
    rows in memory. The differences are the rows.

    Args:
        folder: where they may be made.
    """
    measured: list[Repeats] = []
    rows: list[int] = []
    for documents, row_cache in ((MEASURED, None), (SMALL, None), (SMALL, 0)):
        file = folder / f"{documents}.db"
        if not file.exists():
            _make(file, documents)
        with Index.open(file, row_cache=row_cache) as index:
            queries = np.random.default_rng(1).standard_normal((QUERIES, STORED.dim))
            rows.append(index.stats().shortlists[-1])
            measured.append(repeat("searching", partial(_search_all, index, queries)))
    few, held, read = (one.best / QUERIES for one in measured)
    row_held = max(_LEAST_SECONDS, (held - few) / max(1, rows[1] - rows[0]))
    base = max(_LEAST_SECONDS, few - rows[0] * row_held)
    row_read = max(row_held, row_held + (read - held) / rows[2])
    return SearchTimes(base, row_read, row_held), tuple(measured)


def _search_all(index: Index, queries: npt.NDArray[np.float64]) -> None:
    for query in queries:
        index.search(query)


def _make(file: Path, documents: int) -> None:
    generator = np.random.default_rng(0)
    with Index.create(
        file,
        dim=STORED.dim,
        matryoshka_dims=(STORED.dim,),
        identity="calibration",
        model_name="calibration",
        layout=IndexLayout(STORED, SCAN),
    ) as index:
        index.add(
            [TEXT] * documents,
            vectors=generator.standard_normal((documents, STORED.dim)),
        )


def storage(folder: Path) -> tuple[float, float, tuple[Repeats, ...]]:
    """Seconds of one random read of a page, and bytes a second of a long read, past the cache.

    Args:
        folder: on the storage that is meant.

    Raises:
        CalibrationError: the folder cannot be written, or is full.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            chunk = os.urandom(2**20)  # what is all zeros, some storage does not store
            for _ in range(FILE_BYTES // len(chunk)):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            long = Repeats("a long read", tuple(_long_read(file.fileno()) for _ in range(3)))
            random = Repeats(
                "random reads", tuple(_random_reads(file.fileno(), turn) for turn in range(3))
            )
    except OSError as error:
        raise CalibrationError(
            f"storage cannot be measured in {folder} ({error.strerror or error}): name a folder "
            "that can be written with --folder"
        ) from error
    return random.best / RANDOM_READS, FILE_BYTES / long.best, (long, random)


def _forget(descriptor: int) -> None:
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _long_read(descriptor: int) -> float:
    _forget(descriptor)
    start = time.perf_counter()
    for offset in range(0, FILE_BYTES, 2**18):
        os.pread(descriptor, 2**18, offset)
    return time.perf_counter() - start


def _random_reads(descriptor: int, seed: int) -> float:
    pages = np.random.default_rng(seed).integers(0, FILE_BYTES // PAGE, RANDOM_READS).tolist()
    _forget(descriptor)
    if hasattr(os, "posix_fadvise"):
        # Nobody shall read ahead: the next page that is wanted is somewhere else.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    start = time.perf_counter()
    for page in pages:
        os.pread(descriptor, PAGE, page * PAGE)
    return time.perf_counter() - start
