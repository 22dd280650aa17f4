"""What filters, words and fusion cost, beside plain search and beside other BM25 libraries.

    python -m benchmarks.retrieval FOLDER --bundle BUNDLE [--size N] [--queries N] [--json FILE]

FOLDER holds pairs.jsonl.gz (fields `query` and `doc`); documents are the descriptions and their
sentences, queries are summaries. Four tables: what a lexical index costs to build; filters from
0.01 % to 100 % of the documents, with the recall of the exact filtered top 10, the first time a
filter is asked and after; a fused query beside its branches; BM25 beside bm25s and tantivy where
they are installed, each in a process of its own, with the memory that its index takes. Times are
wall clock of one thread, medians over the queries.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import gc  # noqa: E402
import importlib.util  # noqa: E402
import json  # noqa: E402
import multiprocessing  # noqa: E402
import re  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks.machine import describe  # noqa: E402
from benchmarks.vectors import read_texts  # noqa: E402
from edge_mrl import Encoder, Index, Prefetch  # noqa: E402
from edge_mrl.retrieval import Lexical  # noqa: E402

BRANCH = 100
SHARES = (0.0001, 0.001, 0.01, 0.1, 0.5, 1.0)


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def median_ms(call: Callable[[object], object], values: list) -> float:
    return 1000 * statistics.median(seconds(lambda: call(value)) for value in values)  # noqa: B023


def build(place: Path, encoder: Encoder, texts: list[str], vectors: np.ndarray, lexical: bool):
    """An index of the texts, how long it took, and its size."""
    shares = np.random.default_rng(0).random(len(texts))
    index = Index.open(place, encoder)
    if lexical:
        index.create_lexical_index()
    start = time.perf_counter()
    with index.bulk_load():
        for first in range(0, len(texts), 5000):
            part = slice(first, first + 5000)
            index.add(texts[part], vectors=vectors[part], metadata=[{"r": r} for r in shares[part]])
    spent = time.perf_counter() - start
    index.optimize()
    return index, spent, index.stats().file_bytes


def build_costs(folder: Path, encoder, texts, vectors) -> tuple[Index, dict]:
    plain, plain_s, plain_bytes = build(folder / "plain.db", encoder, texts, vectors, False)
    plain.close()
    index, lexical_s, lexical_bytes = build(folder / "lexical.db", encoder, texts, vectors, True)
    return index, {
        "documents": len(texts),
        "bytes_per_text": sum(len(text.encode()) for text in texts) / len(texts),
        "plain_documents_per_s": len(texts) / plain_s,
        "lexical_documents_per_s": len(texts) / lexical_s,
        "lexical_us_per_document": 1e6 * (lexical_s - plain_s) / len(texts),
        "lexical_bytes_per_document": (lexical_bytes - plain_bytes) / len(texts),
        "bytes_per_document": plain_bytes / len(texts),
    }


def filters(index: Index, queries: np.ndarray) -> list[dict]:
    """Each share of the documents: times beside no filter, and the recall of the exact top 10."""
    start = time.perf_counter()
    index.create_payload_index("r")
    rows = [{"share": None, "index_s": time.perf_counter() - start}]
    asked = list(queries)
    for query in asked[:5]:
        index.search(query)
    for share in SHARES:
        kept = {"must": [{"key": "r", "range": {"lt": share}}]}
        cold = 1000 * seconds(lambda: index.search(asked[0], filter=kept))  # noqa: B023
        # In turns, so that other programs on the machine slow both alike.
        plain, warm = [], []
        for query in asked:
            plain.append(seconds(lambda: index.search(query)))  # noqa: B023
            warm.append(seconds(lambda: index.search(query, filter=kept)))  # noqa: B023
        found = wanted = 0
        for query in asked[:50]:
            true = {hit.id for hit in index.search(query, filter=kept, exact=True)}
            found += len(true & {hit.id for hit in index.search(query, filter=kept)})
            wanted += len(true)
        rows.append(
            {
                "share": share,
                "first_ms": cold,
                "ms": 1000 * statistics.median(warm),
                "plain_ms": 1000 * statistics.median(plain),
                "ratio": statistics.median(warm) / statistics.median(plain),
                "recall": found / max(1, wanted),
            }
        )
    return rows


def fusion(index: Index, words: list[str], queries: np.ndarray) -> dict:
    """A fused query beside its two branches, in turns; words are met before."""
    dense = Prefetch(using="dense", limit=BRANCH)
    lexical = [Prefetch(query=text, using="lexical", limit=BRANCH) for text in words]
    for text in words:
        index.query(Lexical(text), limit=BRANCH)
    times: dict[str, list[float]] = {"dense": [], "lexical": [], "rrf": [], "dbsf": []}
    for query, branch, text in zip(queries, lexical, words, strict=True):
        calls = {
            "dense": lambda: index.query(query, limit=BRANCH),  # noqa: B023
            "lexical": lambda: index.query(Lexical(text), limit=BRANCH),  # noqa: B023
            "rrf": lambda: index.query(query, prefetch=(dense, branch), fusion="rrf"),  # noqa: B023
            "dbsf": lambda: index.query(query, prefetch=(dense, branch), fusion="dbsf"),  # noqa: B023
        }
        for name, call in calls.items():
            times[name].append(seconds(call))
    medians = {name: 1000 * statistics.median(spent) for name, spent in times.items()}
    both = medians["dense"] + medians["lexical"]
    return {**medians, "ratio": medians["rrf"] / both, "dbsf_ratio": medians["dbsf"] / both}


def resident_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def ours(texts: list[str], place: Path) -> tuple[Callable, Callable]:
    def make():
        index = Index.open(place)
        # The branch alone: the others too return numbers of documents, not the documents.
        search = index._queries._searches.lexical
        store = index._store

        def run(text):
            with store.read():
                return search.nearest(Lexical(text), BRANCH).rows

        return run

    return make, lambda: None


def fts5(texts: list[str], place: Path) -> tuple[Callable, Callable]:
    """FTS5's own ranking of the same table, for what its limit is."""

    def make():
        import sqlite3

        connection = sqlite3.connect(f"file:{place}?mode=ro", uri=True)

        def search(text):
            words = dict.fromkeys(re.findall(r"\w+", text))
            return connection.execute(
                "SELECT rowid, bm25(lexical) FROM lexical WHERE lexical MATCH ? "
                "ORDER BY rank LIMIT ?",
                (" OR ".join(f'"{word}"' for word in words), BRANCH),
            ).fetchall()

        return search

    return make, lambda: None


def bm25s(texts: list[str], place: Path, backend: str = "numpy") -> tuple[Callable, Callable]:
    import bm25s as library

    def save():
        retriever = library.BM25(backend=backend)
        retriever.index(
            library.tokenize(texts, stopwords=None, show_progress=False), show_progress=False
        )
        retriever.save(str(place.with_name("bm25s")))

    def make():
        retriever = library.BM25.load(str(place.with_name("bm25s")))
        if backend == "numba":
            retriever.backend = "numba"
            retriever.activate_numba_scorer()

        def search(text):
            tokens = library.tokenize(text, stopwords=None, show_progress=False)
            return retriever.retrieve(tokens, k=BRANCH, show_progress=False, n_threads=0)

        return search

    return make, save


def bm25s_numba(texts: list[str], place: Path) -> tuple[Callable, Callable]:
    return bm25s(texts, place, "numba")


def tantivy(texts: list[str], place: Path) -> tuple[Callable, Callable]:
    import tantivy as library

    folder = place.with_name("tantivy")

    def save():
        folder.mkdir(exist_ok=True)
        schema = library.SchemaBuilder()
        schema.add_text_field("text", stored=False)
        schema.add_integer_field("row", stored=True)
        index = library.Index(schema.build(), path=str(folder))
        writer = index.writer(num_threads=1)
        for row, text in enumerate(texts):
            writer.add_document(library.Document(text=[text], row=row))
        writer.commit()
        writer.wait_merging_threads()

    def make():
        searcher = library.Index.open(str(folder))
        searcher.reload()

        def search(text):
            words = " ".join(re.findall(r"\w+", text))
            query = searcher.parse_query(words, ["text"])
            reader = searcher.searcher()
            return [reader.doc(place)["row"] for _, place in reader.search(query, BRANCH).hits]

        return search

    return make, save


BM25 = {
    "edge_mrl": (ours, None),
    "FTS5's own bm25()": (fts5, None),
    "bm25s, numpy": (bm25s, "bm25s"),
    "bm25s, numba": (bm25s_numba, "numba"),
    "tantivy": (tantivy, "tantivy"),
}


def alone(name: str, texts_file: Path, place: Path, words: list[str], pipe) -> None:
    """One contender in its own process: it is built in another, so that only what searching needs
    is counted."""
    make, _ = BM25[name][0]([], place)
    make_ready = resident_mb()
    start = time.perf_counter()
    search = make()
    opened = time.perf_counter() - start
    first = [seconds(lambda: search(text)) for text in words]  # noqa: B023
    again = [seconds(lambda: search(text)) for _ in range(3) for text in words]  # noqa: B023
    pipe.send(
        {
            "name": name,
            "open_ms": 1000 * opened,
            "first_ms": 1000 * statistics.median(first),
            "ms": 1000 * statistics.median(again),
            "p95_ms": 1000 * float(np.quantile(again, 0.95)),
            "memory_mb": resident_mb() - make_ready,
        }
    )


def save_alone(name: str, texts_file: Path, place: Path, words: list[str], pipe) -> None:
    texts = json.loads(texts_file.read_text())
    start = time.perf_counter()
    BM25[name][0](texts, place)[1]()
    pipe.send(time.perf_counter() - start)


def lexical_rivals(texts: list[str], place: Path, words: list[str]) -> list[dict]:
    """Every BM25 that is installed."""
    context = multiprocessing.get_context("spawn")
    texts_file = place.with_name("texts.json")
    texts_file.write_text(json.dumps(texts))
    rows = []
    for name, (_, module) in BM25.items():
        if module is not None and importlib.util.find_spec(module) is None:
            continue
        results = []
        for target in (save_alone, alone):
            here, there = context.Pipe()
            child = context.Process(target=target, args=(name, texts_file, place, words, there))
            child.start()
            there.close()
            results.append(here.recv())
            child.join()
        rows.append({**results[1], "build_s": results[0] if module else None})
    for row in rows:
        row["ratio"] = rows[0]["ms"] / row["ms"]
    return rows


def show(result: dict) -> None:
    cost = result["build"]
    print(
        f"\n{cost['documents']} documents of {cost['bytes_per_text']:.0f} bytes of text: "
        f"{cost['plain_documents_per_s']:.0f} documents/s without a lexical index, "
        f"{cost['lexical_documents_per_s']:.0f} with; it takes "
        f"{cost['lexical_us_per_document']:.0f} us and {cost['lexical_bytes_per_document']:.0f} "
        f"bytes a document beside {cost['bytes_per_document']:.0f}"
    )
    print(
        f"\n{'filter keeps':>12} {'first ms':>9} {'ms':>7} {'plain':>7} {'ratio':>6} {'recall':>7}"
    )
    for row in result["filters"][1:]:
        print(
            f"{100 * row['share']:10.2f} % {row['first_ms']:9.2f} {row['ms']:7.2f} "
            f"{row['plain_ms']:7.2f} {row['ratio']:6.2f} {row['recall']:7.4f}"
        )
    fused = result["fusion"]
    print(
        f"\ndense {fused['dense']:.2f} ms, lexical {fused['lexical']:.2f} ms; rrf of both "
        f"{fused['rrf']:.2f} ms ({fused['ratio']:.2f} of the sum), dbsf {fused['dbsf']:.2f} ms "
        f"({fused['dbsf_ratio']:.2f})"
    )
    names = ("BM25, best 100", "ms", "p95", "first", "open ms", "MB", "ours/it")
    print("\n{:20} {:>8} {:>8} {:>8} {:>8} {:>7} {:>8}".format(*names))
    for row in result["bm25"]:
        print(
            f"{row['name']:20} {row['ms']:8.2f} {row['p95_ms']:8.2f} {row['first_ms']:8.2f} "
            f"{row['open_ms']:8.1f} {row['memory_mb']:7.1f} {row['ratio']:8.2f}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    about = {**describe(), "command": " ".join(["python -m benchmarks.retrieval", *sys.argv[1:]])}
    for name, value in about.items():
        print(f"{name}: {value}")
    texts, summaries = read_texts(given.folder)
    texts = texts[: given.size]
    generator = np.random.default_rng(0)
    places = generator.permutation(len(summaries))[: given.queries]
    words = [summaries[place] for place in places]
    encoder = Encoder.load(given.bundle, threads=1)
    vectors = np.concatenate(
        [encoder.encode_document(texts[n : n + 1000]) for n in range(0, len(texts), 1000)]
    )
    known = vectors.any(axis=1)
    texts, vectors = [text for text, fine in zip(texts, known, strict=True) if fine], vectors[known]
    queries = encoder.encode_query(words)
    sound = queries.any(axis=1)
    words, queries = [w for w, fine in zip(words, sound, strict=True) if fine], queries[sound]
    with tempfile.TemporaryDirectory() as folder:
        index, cost = build_costs(Path(folder), encoder, texts, vectors)
        result = {
            **about,
            "build": cost,
            "filters": filters(index, queries),
            "fusion": fusion(index, words, queries),
        }
        index.close()
        result["bm25"] = lexical_rivals(texts, Path(folder) / "lexical.db", words)
    show(result)
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
