"""What late interaction costs, and what it changes in nDCG@10.

    python -m benchmarks.late [--rounds N] [--bundle FOLDER --data FOLDER ...] [--json]

First table: MaxSim of 50 documents of 128 tokens with a query of 32, 96 dimensions, random unit
vectors: the arithmetic alone (CPU time), the whole stage of a query, which reads and checks the
records of 50 among 300 documents (wall clock), and the whole query, with the search that finds
them (CPU time). Beside them the float32 product of numpy over vectors that lie in memory unpacked.
One thread, medians.

Second table, where a bundle with token vectors and labelled sets in BEIR's layout are given: text
queries, answered by the bundle's vectors alone and by MaxSim over the best 50 that those find. The
index keeps all dimensions at 8 bits and is resliced for the other rows. CPU time of a query,
embedding included, one thread, medians; the rate is that of adding documents, texts in, by wall
clock.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import statistics  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import NamedTuple  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks.machine import describe  # noqa: E402
from edge_mrl import Encoder, Index, Prefetch  # noqa: E402
from edge_mrl.index import Record, reslice_index  # noqa: E402
from edge_mrl.index.format.codes import encode  # noqa: E402
from edge_mrl.index.searching.maxsim import maxsim  # noqa: E402
from edge_mrl.retrieval import MultiVector  # noqa: E402
from edge_mrl.slices import Slice, normalize  # noqa: E402

DOCUMENTS, TOKENS, QUERY_TOKENS, DIM = 50, 128, 32, 96
IN_INDEX = 300
BITS = (8, 4, 1, 16)
CANDIDATES = 50


def median_ms(call: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        start = time.thread_time()
        call()
        taken.append(time.thread_time() - start)
    return 1000 * statistics.median(taken)


def random_tokens(count: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return normalize(generator.standard_normal((count, DIM)).astype(np.float32))


def ask(folder: Path, bits: int, query: np.ndarray, rounds: int) -> dict[str, float]:
    """A whole query's milliseconds of CPU, and wall clock and bytes of its last stage."""
    vectors = random_tokens(IN_INDEX, 3)
    with Index.create(folder / f"{bits}.db", dim=DIM, matryoshka_dims=[DIM], identity="b") as index:
        index.create_token_index(DIM, slice=(DIM, bits))
        for start in range(0, IN_INDEX, 100):
            tokens = random_tokens(100 * TOKENS, start).reshape(100, TOKENS, DIM)
            index.add(vectors=vectors[start : start + 100], token_vectors=list(tokens))
        stages, taken = [], []
        for number in range(rounds):
            start = time.thread_time()
            found = index.query(
                MultiVector(query),
                prefetch=Prefetch(query=vectors[number % IN_INDEX], limit=DOCUMENTS),
                explain=True,
            )
            taken.append(time.thread_time() - start)
            stages.append(found.explanation.stages[-1])
    return {
        "query_ms": 1000 * statistics.median(taken),
        "stage_ms": statistics.median(stage.milliseconds for stage in stages),
        "bytes_read": stages[0].bytes_read,
    }


def costs(rounds: int) -> list[dict[str, object]]:
    query = random_tokens(QUERY_TOKENS, 1)
    units = random_tokens(DOCUMENTS * TOKENS, 2)
    lengths = np.full(DOCUMENTS, TOKENS)

    def plain() -> np.ndarray:
        cosines = (units @ query.T).reshape(DOCUMENTS, TOKENS, QUERY_TOKENS)
        return cosines.max(axis=1).sum(axis=1)

    rows: list[dict[str, object]] = [
        {"what": "numpy float32, unpacked", "maxsim_ms": median_ms(plain, rounds)}
    ]
    with tempfile.TemporaryDirectory() as folder:
        for bits in BITS:
            slice_ = Slice(DIM, bits)
            packed = encode(units, slice_).packed
            alone = median_ms(lambda: maxsim(query, packed, lengths, slice_), rounds)  # noqa: B023
            whole = ask(Path(folder), bits, query, rounds)
            rows.append({"what": str(slice_), "maxsim_ms": alone, **whole})
    return rows


def quality(encoder: Encoder, data_folder: Path) -> list[dict[str, object]]:
    """nDCG@10 and cost of text queries, without and with token vectors."""
    from edge_mrl_export.evaluation.data import RetrievalData, read_data
    from edge_mrl_export.evaluation.measures import each_query, mean

    data = read_data(data_folder)
    if not isinstance(data, RetrievalData):
        raise SystemExit(f"{data_folder} holds pairs, not queries and documents")
    asked: list[Asked] = []
    with tempfile.TemporaryDirectory() as folder:
        whole, rate = Path(folder) / "whole.db", {}
        for name, late in (("vectors", False), ("tokens", True)):
            place = whole if late else Path(folder) / "plain.db"
            with Index.open(place, encoder) as index:
                if late:
                    index.create_token_index()
                start = time.perf_counter()
                index.add_stream(Record(text, n) for n, text in enumerate(data.documents))
                rate[name] = len(data.documents) / (time.perf_counter() - start)
                index.optimize()
                if not late:
                    asked.append(ask_texts(index, data.queries, "vectors", late=False))
        for slice_ in token_slices(encoder):
            place = Path(folder) / f"{slice_}.db"
            reslice_index(whole, place, encoder.dim, token_slice=slice_).close()
            with Index.open(place, encoder) as index:
                asked.append(ask_texts(index, data.queries, f"MaxSim at {slice_}", late=True))
    each = [each_query(one.rows, data.judgements)["ndcg@10"] for one in asked]
    table: list[dict[str, object]] = []
    for one, values in zip(asked, each, strict=True):
        measured, change = mean(100 * values), mean(100 * (values - each[0]))
        table.append(
            {
                "data": data.name,
                "order": one.name,
                "queries": len(data.queries),
                "ndcg@10": round(measured.value, 1),
                "change": [round(n, 1) for n in (change.value, change.low, change.high)],
                "query_ms": one.milliseconds,
                "bytes_per_document": one.file_bytes / len(data.documents),
                "documents_per_second": rate["vectors" if one is asked[0] else "tokens"],
            }
        )
    return table


class Asked(NamedTuple):
    """The best 50 of each query, (queries, 50), -1 where there are fewer; and what it cost."""

    name: str
    rows: np.ndarray
    milliseconds: float
    file_bytes: int


def ask_texts(index: Index, queries: Sequence[str], name: str, *, late: bool) -> Asked:
    rows, taken = np.full((len(queries), CANDIDATES), -1), []
    dense = Prefetch(using="dense", limit=CANDIDATES)
    for number, query in enumerate(queries):
        start = time.thread_time()
        found = (
            index.query(query, prefetch=dense, using="tokens", limit=CANDIDATES)
            if late
            else index.query(query, limit=CANDIDATES)
        )
        taken.append(time.thread_time() - start)
        rows[number, : len(found.hits)] = [hit.id for hit in found.hits]
    return Asked(name, rows, 1000 * statistics.median(taken), index.stats().file_bytes)


def token_slices(encoder: Encoder) -> list[Slice]:
    """All dimensions at 8, 4 and 1 bits, and the two next smaller sizes at 8."""
    *smaller, full = encoder.token_dims
    return [Slice(full, bits) for bits in (8, 4, 1)] + [Slice(dim, 8) for dim in smaller[-2:][::-1]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--bundle", type=Path, help="a bundle exported with --token-vectors")
    parser.add_argument("--variant", help="one of its variants; default the first that gives them")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="BEIR's layout")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    quality_rows = []
    if arguments.bundle is not None:
        encoder = Encoder.load(arguments.bundle, variant=arguments.variant, token_vectors=True)
        quality_rows = [row for data in arguments.data for row in quality(encoder, data)]
    result = {
        "machine": describe(),
        "rows": costs(arguments.rounds),
        "quality": quality_rows,
    }
    if arguments.json:
        print(json.dumps(result, indent=2))
        return
    print(", ".join(f"{name} {value}" for name, value in result["machine"].items()), "\n")
    print(f"{DOCUMENTS} documents of {TOKENS} tokens, a query of {QUERY_TOKENS}\n")
    print("| token vectors | MaxSim CPU ms | stage wall ms | query CPU ms | bytes read |")
    print("|---|---|---|---|---|")
    for row in result["rows"]:
        rest = "- | - | -"
        if "stage_ms" in row:
            rest = f"{row['stage_ms']:.2f} | {row['query_ms']:.2f} | {row['bytes_read']}"
        print(f"| {row['what']} | {row['maxsim_ms']:.2f} | {rest} |")
    if result["quality"]:
        print(
            "\n| data | queries | order | nDCG@10 | change (95 %) | query CPU ms "
            "| bytes a document | documents a second |"
        )
        print("|---|---|---|---|---|---|---|---|")
    for row in result["quality"]:
        value, low, high = row["change"]
        print(
            f"| {row['data']} | {row['queries']} | {row['order']} | {row['ndcg@10']} | "
            f"{value:+} ({low:+} to {high:+}) | {row['query_ms']:.1f} | "
            f"{row['bytes_per_document']:.0f} | {row['documents_per_second']:.0f} |"
        )


if __name__ == "__main__":
    main()
