"""BM25 of edge_mrl beside FTS5's own, bm25s and tantivy: part of benchmarks.retrieval.

Each runs in a process of its own. What can be built before is built in another, so that the memory
is what importing the library (beside numpy), opening and searching take. Every one returns numbers
of documents.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import multiprocessing
import os
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge_mrl import Index
from edge_mrl.retrieval import Lexical

BRANCH = 100
"""Documents that a query asks for."""
COMPARED = 10
"""Of these, the best ones are compared with FTS5's."""

Search = Callable[[str], "list[int]"]
"""A text -> the rows of the best documents, counted from 1."""
Contender = tuple[Callable[[], Search], Callable[[], None]]
"""What opens it, and what builds its files before."""


def ours(texts: list[str], place: Path) -> Contender:
    def make() -> Search:
        index = Index.open(place)
        # The branch alone: the others too return numbers of documents, not the documents.
        search = index._queries._searches.lexical
        store = index._store

        def run(text):
            with store.read():
                return search.nearest(Lexical(text), BRANCH).rows

        return run

    return make, lambda: None


def fts5(texts: list[str], place: Path) -> Contender:
    """FTS5's own ranking of the same table, for what its limit is."""

    def make() -> Search:
        import sqlite3

        connection = sqlite3.connect(f"file:{place}?mode=ro", uri=True)

        def search(text):
            words = dict.fromkeys(re.findall(r"[^\W_]+", text.lower()))
            found = connection.execute(
                "SELECT rowid, bm25(lexical) FROM lexical WHERE lexical MATCH ? "
                "ORDER BY rank LIMIT ?",
                (" OR ".join(f'"{word}"' for word in words), BRANCH),
            )
            return [row for row, _ in found]

        return search

    return make, lambda: None


def bm25s(texts: list[str], place: Path, backend: str = "numpy") -> Contender:
    import bm25s as library

    def save() -> None:
        retriever = library.BM25(backend=backend)
        retriever.index(
            library.tokenize(texts, stopwords=None, show_progress=False), show_progress=False
        )
        retriever.save(str(place.with_name("bm25s")))

    def make() -> Search:
        retriever = library.BM25.load(str(place.with_name("bm25s")))
        if backend == "numba":
            retriever.backend = "numba"
            retriever.activate_numba_scorer()

        def search(text):
            tokens = library.tokenize(text, stopwords=None, show_progress=False)
            found = retriever.retrieve(tokens, k=BRANCH, show_progress=False, n_threads=0)
            return found.documents[0] + 1

        return search

    return make, save


def bm25s_numba(texts: list[str], place: Path) -> Contender:
    return bm25s(texts, place, "numba")


def tantivy(texts: list[str], place: Path) -> Contender:
    import tantivy as library

    folder = place.with_name("tantivy")

    def save() -> None:
        folder.mkdir(exist_ok=True)
        schema = library.SchemaBuilder()
        schema.add_text_field("text", stored=False)
        schema.add_integer_field("row", stored=True)
        index = library.Index(schema.build(), path=str(folder))
        writer = index.writer(num_threads=1)
        for row, text in enumerate(texts):
            writer.add_document(library.Document(text=[text], row=row + 1))
        writer.commit()
        writer.wait_merging_threads()

    def make() -> Search:
        searcher = library.Index.open(str(folder))
        searcher.reload()

        def search(text):
            words = " ".join(re.findall(r"\w+", text))
            query = searcher.parse_query(words, ["text"])
            reader = searcher.searcher()
            return [reader.doc(place)["row"][0] for _, place in reader.search(query, BRANCH).hits]

        return search

    return make, save


OURS, FTS5 = "edge_mrl", "FTS5's own bm25()"

BM25: dict[str, tuple[Callable[[list[str], Path], Contender], str | None]] = {
    OURS: (ours, None),
    FTS5: (fts5, None),
    "bm25s, numpy": (bm25s, "bm25s"),
    "bm25s, numba": (bm25s_numba, "numba"),
    "tantivy": (tantivy, "tantivy"),
}
"""Names -> contenders and the package that each needs."""


def installed(name: str) -> bool:
    """Whether a contender can run here."""
    package = BM25[name][1]
    return package is None or importlib.util.find_spec(package) is not None


def resident_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def seconds(call: Callable[[], object]) -> float:
    """CPU time of this thread: nothing here waits for a disk, so it is the time that a machine at
    rest takes, and other programs disturb it less than a clock."""
    start = time.thread_time()
    call()
    return time.thread_time() - start


def alone(name: str, texts_file: Path, place: Path, words: list[str], pipe) -> None:
    """One contender opened and asked."""
    # Before it imports its library: ours loads most of its own code as it opens an index.
    before = resident_mb()
    make, _ = BM25[name][0]([], place)
    start = time.thread_time()
    search = make()
    opened = time.thread_time() - start
    first = [seconds(lambda: search(text)) for text in words]  # noqa: B023
    again = [seconds(lambda: search(text)) for _ in range(3) for text in words]  # noqa: B023
    memory = resident_mb() - before
    pipe.send(
        {
            "name": name,
            "open_ms": 1000 * opened,
            "first_ms": 1000 * statistics.median(first),
            "ms": 1000 * statistics.median(again),
            "p95_ms": 1000 * float(np.quantile(again, 0.95)),
            "memory_mb": memory,
            "best": [[int(row) for row in search(text)[:COMPARED]] for text in words],
        }
    )


def save_alone(name: str, texts_file: Path, place: Path, words: list[str], pipe) -> None:
    """A contender's files, from the texts."""
    texts = json.loads(texts_file.read_text())
    start = time.perf_counter()
    BM25[name][0](texts, place)[1]()
    pipe.send(time.perf_counter() - start)


def agreement(found: list[list[int]], wanted: list[list[int]]) -> float:
    """The share of FTS5's best documents that another has among its best. Where scores are equal
    it may choose others."""
    pairs = list(zip(found, wanted, strict=True))
    listed = sum(len(right) for _, right in pairs)
    return sum(len(set(left) & set(right)) for left, right in pairs) / max(1, listed)


def lexical_rivals(texts: list[str], place: Path, words: list[str]) -> list[dict]:
    """Every BM25 that is installed, ours first.

    Args:
        texts: of the documents.
        place: an index of them with a lexical index; files of others are written beside it.
        words: the queries.
    """
    context = multiprocessing.get_context("spawn")
    texts_file = place.with_name("texts.json")
    texts_file.write_text(json.dumps(texts))
    rows = []
    for name in filter(installed, BM25):
        results = []
        for target in (save_alone, alone):
            here, there = context.Pipe()
            child = context.Process(target=target, args=(name, texts_file, place, words, there))
            child.start()
            there.close()
            results.append(here.recv())
            child.join()
        rows.append({**results[1], "build_s": results[0] if BM25[name][1] else None})
    best = {row["name"]: row.pop("best") for row in rows}
    for row in rows:
        row["ratio"] = rows[0]["ms"] / row["ms"]
        row["agreement"] = agreement(best[row["name"]], best[FTS5])
    return rows
