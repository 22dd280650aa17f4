"""One process that makes an index, or one that searches it and says what that took.

    python -m edge_mrl.bench.work fill|use JSON

Unless files of vectors are given, they are drawn around centres, with energy that falls along the
coordinates as in a Matryoshka model: embedding a million texts would take days on a small board,
and sizes and times do not depend on what the texts say.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edge_mrl.bundle import Bundle
from edge_mrl.encoder import Encoder
from edge_mrl.index import Index, IndexLayout
from edge_mrl.slices import FloatArray, Slice

TOKENS = 32
OTHER_TOKENS = (8, 256)
QUERIES = 80
WARMING = 320
"""Queries before those that are timed, as of a program that has run for a while. Where a plan holds
stored rows in memory those that are timed come once before as well: it would take thousands of
other queries until a search finds its rows there."""

EMBEDDINGS = 20
PARAGRAPH = 500
BATCH = 2000
_CENTRES = 4000
_NOISE = 0.8


@dataclass(frozen=True, slots=True)
class Task:
    """What one process does.

    Attributes:
        bundle: the folder.
        index: the file.
        variant: that embeds.
        stored: slice, as text.
        resident: the scan slice and, where there is one, the refine slice, as text.
        documents: in the index.
        text_bytes: of each.
        threads: of the engine.
        scan_budget: bytes for the scan codes and the stored rows.
        row_cache: bytes of that for stored rows.
        vectors: a .npy file of document vectors; empty to draw some.
        queries: the same for queries.
        truth: a file for the exact answers, which indexes of the same stored vectors share; empty
            to look for them each time.
    """

    bundle: str
    index: str
    variant: str
    stored: str
    resident: tuple[str, ...]
    documents: int
    text_bytes: int
    threads: int
    scan_budget: int
    row_cache: int
    vectors: str = ""
    queries: str = ""
    truth: str = ""

    @property
    def layout(self) -> IndexLayout:
        """The slices of the index."""
        return IndexLayout(Slice.parse(self.stored), *map(Slice.parse, self.resident))

    def to_json(self) -> str:
        """For the command line of the process."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Measured:
    """What a process found.

    Attributes:
        memory_bytes: the most that was resident of it.
        file_bytes: the index file.
        query_seconds: searches without the encoder, wall time each.
        query_cpu_seconds: the same in time of this thread.
        embedding_seconds: texts of `TOKENS` tokens, wall time each.
        embedding_cpu_seconds: the same in time of the process.
        recall: share of the exact top 10 that the searches found.
        shortlists: candidates of each stage; the last ones' rows are re-read.
        expected_recall: what the index itself measured; None where it is small.
    """

    memory_bytes: int
    file_bytes: int
    query_seconds: list[float]
    query_cpu_seconds: list[float]
    embedding_seconds: list[float]
    embedding_cpu_seconds: list[float]
    recall: float
    shortlists: list[int]
    expected_recall: float | None


@dataclass(frozen=True, slots=True)
class Filled:
    """What an index found out when it was made; `expected_recall` is None where it is small."""

    documents: int
    shortlists: list[int]
    expected_recall: float | None


def fill(task: Task) -> Filled:
    """Make the index."""
    manifest = Bundle.open(task.bundle).manifest
    dim = task.layout.stored.dim
    given = np.load(task.vectors, mmap_mode="r") if task.vectors else None
    draw = _Drawn(dim)
    with Index.create(
        Path(task.index),
        dim=dim,
        matryoshka_dims=manifest.embedding.matryoshka_dims,
        identity=manifest.model.identity,
        model_name=manifest.model.name,
        layout=task.layout,
    ) as index:
        with index.bulk_load():
            for start in range(0, task.documents, BATCH):
                size = min(BATCH, task.documents - start)
                texts = [_text(number, task.text_bytes) for number in range(start, start + size)]
                if given is None:
                    vectors = draw.vectors(size, seed=start + 1)
                else:
                    vectors = np.ascontiguousarray(given[start : start + size, :dim])
                index.add(texts, vectors=vectors)
        index.optimize()
        stats = index.stats()
        return Filled(stats.documents, list(stats.shortlists), stats.expected_recall)


def _text(number: int, length: int) -> str:
    """A text of half to one and a half times this length."""
    own = length // 2 + number * 7919 % max(1, length)
    return (f"{number} " + "the lazy dog " * (own // 13 + 1))[:own]


def use(task: Task) -> Measured:
    """Load the encoder, search, embed."""
    encoder = Encoder.load(
        task.bundle,
        variant=task.variant,
        truncate_dim=task.layout.stored.dim,
        threads=task.threads,
    )
    queries = _queries(task)
    budget, rows = task.scan_budget, task.row_cache
    with Index.open(task.index, encoder, memory_budget=budget, row_cache=rows) as index:
        found: list[set[object]] = []
        wall, cpu = [], []
        for query in (*queries[QUERIES:], *(queries[:QUERIES] if rows else ())):
            index.search(query)
        for query in queries[:QUERIES]:
            spent = _timed(partial(_search, index, query, found))
            wall.append(spent[0])
            cpu.append(spent[1])
        text = text_of(encoder, TOKENS)
        encoder.encode(text, prompt="")
        embedded = [_timed(lambda: encoder.encode(text, prompt="")) for _ in range(EMBEDDINGS)]
        # The longest text decides what the engine's buffers take, and a TFLite file keeps some for
        # each of its lengths.
        for tokens in OTHER_TOKENS:
            encoder.encode(text_of(encoder, tokens), prompt="")
        if encoder.variant.format == "table":
            # Of a table only the rows that texts need are in memory; these need most of them.
            for words in _manual():
                encoder.encode(words, prompt="")
        # Looked at before the exact searches, which no user of a funnel makes.
        memory, stats = peak_resident(), index.stats()
        exact = _exact(index, queries[:QUERIES], task.truth)
        hits = sum(
            len(answer.intersection(best)) for answer, best in zip(found, exact, strict=True)
        )
        total = sum(map(len, exact))
    return Measured(
        memory_bytes=memory,
        file_bytes=stats.file_bytes,
        query_seconds=wall,
        query_cpu_seconds=cpu,
        embedding_seconds=[one[0] for one in embedded],
        embedding_cpu_seconds=[one[2] for one in embedded],
        recall=hits / max(total, 1),
        shortlists=list(stats.shortlists),
        expected_recall=stats.expected_recall,
    )


def _exact(index: Index, queries: FloatArray, truth: str) -> list[list[int]]:
    """The ids of the true top 10 of each query; the index numbered its documents."""
    if truth and Path(truth).exists():
        known: list[list[int]] = json.loads(Path(truth).read_text(encoding="utf-8"))
        return known
    found = [[int(hit.id) for hit in index.search(query, exact=True)] for query in queries]
    if truth:
        Path(truth).write_text(json.dumps(found), encoding="utf-8")
    return found


def _queries(task: Task) -> FloatArray:
    dim = task.layout.stored.dim
    if not task.queries:
        return _Drawn(dim).vectors(QUERIES + WARMING, seed=0)
    given: FloatArray = np.load(task.queries)[: QUERIES + WARMING, :dim]
    return given


def _search(index: Index, query: FloatArray, found: list[set[object]]) -> None:
    found.append({hit.id for hit in index.search(query)})


def _manual() -> list[str]:
    """Texts of many words: Python's own manual, where it is installed."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        return []
    whole = " ".join(topics.values())
    return [whole[start : start + PARAGRAPH] for start in range(0, len(whole), PARAGRAPH)]


def text_of(encoder: Encoder, tokens: int) -> str:
    """A text of this many tokens, or just below."""
    words = ["time"] * tokens
    while len(words) > 1 and encoder.count_tokens([" ".join(words)])[0] > tokens:
        words.pop()
    return " ".join(words)


def peak_resident() -> int:
    """The most that was resident of this process, in bytes (VmHWM)."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("this system does not say what was resident")


class _Drawn:
    """Unit vectors that are the same in every process."""

    def __init__(self, dim: int) -> None:
        self._centres = np.random.default_rng(12).standard_normal((_CENTRES, dim), dtype=np.float32)
        self._spectrum = (1 + np.arange(dim, dtype=np.float32)) ** -0.3

    def vectors(self, count: int, seed: int) -> FloatArray:
        """(count, dim) float32."""
        generator = np.random.default_rng(seed)
        rows = self._centres[generator.integers(0, _CENTRES, count)]
        rows = rows + _NOISE * generator.standard_normal(rows.shape, dtype=np.float32)
        unit: FloatArray = rows * self._spectrum
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        return unit


def _timed(call: Callable[[], object]) -> tuple[float, float, float]:
    """Wall time, time of this thread, time of the process."""
    start = time.perf_counter(), time.thread_time(), time.process_time()
    call()
    return (
        time.perf_counter() - start[0],
        time.thread_time() - start[1],
        time.process_time() - start[2],
    )


def main(arguments: list[str]) -> None:
    """Do one task and write what came of it as JSON."""
    task = Task(**json.loads(arguments[1]))
    result = asdict(fill(task) if arguments[0] == "fill" else use(task))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
