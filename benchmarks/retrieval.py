"""What filters, words and fusion cost, beside plain search and beside other BM25 libraries.

    python -m benchmarks.retrieval FOLDER --bundle BUNDLE [--size N] [--queries N] [--json FILE]

FOLDER holds pairs.jsonl.gz (fields `query` and `doc`); documents are the descriptions and their
sentences, queries are summaries. Four tables: what a lexical index costs to build; filters from
0.01 % to 100 % of the documents, with the recall of the exact filtered top 10, the first time a
filter is asked (without and with an index of its key) and after, and filters that leave out the
nearest; a fused query beside its branches;
BM25 beside bm25s and tantivy where they are installed (bm25.py). Times are CPU time, so that other
programs on the machine count less; medians over the first 200 queries. Recall is over all of them,
with its difference from no filter on the same queries and the 95 % interval of that difference.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks.bm25 import BRANCH, lexical_rivals, seconds  # noqa: E402
from benchmarks.machine import describe  # noqa: E402
from benchmarks.vectors import read_texts  # noqa: E402
from edge_mrl import Encoder, Index, Prefetch  # noqa: E402
from edge_mrl.retrieval import Lexical  # noqa: E402

SHARES = (0.0001, 0.001, 0.01, 0.1, 0.5, 1.0)
TIMED = 200
"""How many of the queries are timed."""
LEFT_OUT = (100, 1000, 10_000)
"""How many of the nearest documents a filter leaves out."""


def build(place: Path, encoder: Encoder, texts: list[str], vectors: np.ndarray, lexical: bool):
    """An index of the texts, how long it took, and its size."""
    shares = np.random.default_rng(0).random(len(texts))
    index = Index.open(place, encoder)
    if lexical:
        index.create_lexical_index()
    start = time.process_time()
    with index.bulk_load():
        for first in range(0, len(texts), 5000):
            part = slice(first, first + 5000)
            index.add(texts[part], vectors=vectors[part], metadata=[{"r": r} for r in shares[part]])
    spent = time.process_time() - start
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
    """Each share of the documents: times beside no filter, and the recall of the exact filtered top
    10; no filter first."""
    everyone = list(queries)
    asked = everyone[:TIMED]
    for query in asked[:5]:
        index.search(query, filter={"must": [{"has_id": [1]}]})
        index.search(query)
    read = {share: first_ms(index, asked[0], share) for share in SHARES}
    start = time.perf_counter()
    index.create_payload_index("r")
    spent = time.perf_counter() - start
    without = recalls(index, everyone, None)
    rows = [
        {"share": None, "index_s": spent, "recall": float(without.mean()), "queries": len(without)}
    ]
    for share in SHARES:
        first, kept = first_ms(index, asked[0], share), below(share)
        index.search(asked[0], filter=kept)
        plain, warm = in_turns(index, asked, kept)
        rows.append(
            {
                "share": share,
                "unindexed_ms": read[share],
                "first_ms": first,
                "ms": 1000 * statistics.median(warm),
                "plain_ms": 1000 * statistics.median(plain),
                "ratio": statistics.median(warm) / statistics.median(plain),
                **beside(recalls(index, everyone, kept), without),
            }
        )
    return rows


def without_nearest(index: Index, queries: np.ndarray) -> list[dict]:
    """Filters that leave out what each query is nearest to: the case that lists, measured without
    filters, are least made for."""
    rows = []
    for count in LEFT_OUT:
        if count + 10 >= index.count():
            continue
        found, times, exact = 0, [], []
        for query in queries:
            nearest = [hit.id for hit in index.search(query, k=count, exact=True)]
            others = {"must_not": [{"has_id": nearest}]}
            index.search(query, filter=others)
            true: list = []
            hits: list = []
            exact.append(
                seconds(lambda: true.extend(index.search(query, filter=others, exact=True)))  # noqa: B023
            )
            times.append(seconds(lambda: hits.extend(index.search(query, filter=others))))  # noqa: B023
            found += len({hit.id for hit in true} & {hit.id for hit in hits})
        rows.append(
            {
                "left_out": count,
                "ms": 1000 * statistics.median(times),
                "exact_ms": 1000 * statistics.median(exact),
                "recall": found / (10 * len(queries)),
            }
        )
    return rows


def in_turns(
    index: Index, queries: list[np.ndarray], kept: dict
) -> tuple[list[float], list[float]]:
    """Seconds of each query without and with a filter. In turns, so that other programs on the
    machine slow both alike; each is first as often, since the second finds the pages that both read
    in SQLite's cache."""
    plain: list[float] = []
    filtered: list[float] = []
    for turn in range(2):
        for number, query in enumerate(queries):
            for first in (True, False):
                if first == bool((number + turn) % 2):
                    plain.append(seconds(lambda: index.search(query)))  # noqa: B023
                else:
                    filtered.append(seconds(lambda: index.search(query, filter=kept)))  # noqa: B023
    return plain, filtered


def below(share: float) -> dict:
    """A filter that keeps this share of the documents."""
    return {"must": [{"key": "r", "range": {"lt": share}}]}


def first_ms(index: Index, query: np.ndarray, share: float) -> float:
    """A search with a filter that was not asked before."""
    # The same documents, but another filter each time.
    others = [below(share * (1 - 1e-12 * number)) for number in range(1, 4)]
    return 1000 * statistics.median(
        seconds(lambda: index.search(query, filter=kept))  # noqa: B023
        for kept in others
    )


def recalls(index: Index, queries: list[np.ndarray], kept: dict | None) -> np.ndarray:
    """For each query, the share of the exact top 10 that a search with this filter finds; nan where
    the filter keeps no document."""
    shares = []
    for query in queries:
        true = {hit.id for hit in index.search(query, filter=kept, exact=True)}
        hits = {hit.id for hit in index.search(query, filter=kept)}
        shares.append(len(true & hits) / len(true) if true else np.nan)
    return np.array(shares)


def beside(filtered: np.ndarray, without: np.ndarray) -> dict:
    """The recall of a filter, and how far it is from no filter over the same queries, with half
    the width of the 95 % interval of that mean difference. A filter that keeps nothing loses
    nothing."""
    asked = ~np.isnan(filtered)
    if not asked.any():
        return {"recall": 1.0, "difference": 0.0, "half_width": 0.0, "queries": 0}
    differences = filtered[asked] - without[asked]
    return {
        "recall": float(filtered[asked].mean()),
        "difference": float(differences.mean()),
        "half_width": float(1.96 * differences.std(ddof=1) / np.sqrt(asked.sum())),
        "queries": int(asked.sum()),
    }


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


def recall_cell(row: dict) -> str:
    if not row["queries"]:
        return f"{'-':>9}  keeps no document"
    return f"{row['recall']:9.4f}  {row['difference']:+.4f} +- {row['half_width']:.4f}"


def show(result: dict) -> None:
    cost = result["build"]
    print(
        f"\n{cost['documents']} documents of {cost['bytes_per_text']:.0f} bytes of text: "
        f"{cost['plain_documents_per_s']:.0f} documents/s without a lexical index, "
        f"{cost['lexical_documents_per_s']:.0f} with; it takes "
        f"{cost['lexical_us_per_document']:.0f} us and {cost['lexical_bytes_per_document']:.0f} "
        f"bytes a document beside {cost['bytes_per_document']:.0f}"
    )
    names = ("filter keeps", "no index", "first ms", "ms", "no filter", "ratio", "recall@10")
    print("\n{:>12} {:>9} {:>9} {:>7} {:>9} {:>6} {:>9}  beside no filter".format(*names))
    for row in result["filters"][1:]:
        print(
            f"{100 * row['share']:10.2f} % {row['unindexed_ms']:9.2f} {row['first_ms']:9.2f} "
            f"{row['ms']:7.2f} {row['plain_ms']:9.2f} {row['ratio']:6.2f} {recall_cell(row)}"
        )
    none = result["filters"][0]
    print(f"{'no filter':>12} {none['recall']:54.4f}  over {none['queries']} queries")
    print("\n{:>20} {:>7} {:>9} {:>9}".format("leaves out nearest", "ms", "exact ms", "recall@10"))
    for row in result["without_nearest"]:
        print(f"{row['left_out']:20} {row['ms']:7.2f} {row['exact_ms']:9.2f} {row['recall']:9.4f}")
    fused = result["fusion"]
    print(
        f"\ndense {fused['dense']:.2f} ms, lexical {fused['lexical']:.2f} ms; rrf of both "
        f"{fused['rrf']:.2f} ms ({fused['ratio']:.2f} of the sum), dbsf {fused['dbsf']:.2f} ms "
        f"({fused['dbsf_ratio']:.2f})"
    )
    names = ("BM25, best 100", "ms", "p95", "first", "open ms", "MB", "ours/it", "as FTS5")
    print("\n{:20} {:>8} {:>8} {:>8} {:>8} {:>7} {:>8} {:>8}".format(*names))
    for row in result["bm25"]:
        print(
            f"{row['name']:20} {row['ms']:8.2f} {row['p95_ms']:8.2f} {row['first_ms']:8.2f} "
            f"{row['open_ms']:8.1f} {row['memory_mb']:7.1f} {row['ratio']:8.2f} "
            f"{row['agreement']:8.3f}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=500)
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
            "without_nearest": without_nearest(index, queries[:TIMED]),
            "fusion": fusion(index, words[:TIMED], queries[:TIMED]),
        }
        index.close()
        result["bm25"] = lexical_rivals(texts, Path(folder) / "lexical.db", words[:TIMED])
    show(result)
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
