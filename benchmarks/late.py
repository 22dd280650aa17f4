"""What late interaction costs, and what it changes in nDCG@10.

    python -m benchmarks.late [--rounds N] [--model FOLDER --data FOLDER] [--json]

First table: MaxSim of 50 documents of 128 tokens with a query of 32, 96 dimensions, random unit
vectors: the arithmetic alone (CPU time), the whole stage of a query, which reads and checks the
records of 50 among 300 documents (wall clock), and the whole query, with the search that finds
them (CPU time). Beside them the float32 product of numpy over vectors that lie in memory unpacked.
One thread, medians.

Second table, where a sentence-transformers folder and a labelled set in BEIR's layout are given:
search by the model's vectors beside MaxSim, over its token vectors, of the best 50 that it found.
The model's token vectors were trained for pooling, not for MaxSim; the table says what that is
worth.
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
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks.machine import describe  # noqa: E402
from edge_mrl import Index, Prefetch  # noqa: E402
from edge_mrl.index.codes import encode  # noqa: E402
from edge_mrl.index.maxsim import maxsim  # noqa: E402
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


def token_arrays(model: object, texts: list[str], task: str) -> Iterator[np.ndarray]:
    """Token vectors without padding, as the model's transformer gives them."""
    encoded = getattr(model, f"encode_{task}")(texts, output_value="token_embeddings")
    for rows in encoded:
        yield rows.cpu().numpy()


def quality(model_folder: Path, data_folder: Path) -> list[dict[str, object]]:
    """nDCG@10 of search by vectors, and of MaxSim over what it found."""
    from sentence_transformers import SentenceTransformer

    from edge_mrl_export.evaluation.data import RetrievalData, read_data
    from edge_mrl_export.evaluation.measures import each_query, mean

    data = read_data(data_folder)
    if not isinstance(data, RetrievalData):
        raise SystemExit(f"{data_folder} holds pairs, not queries and documents")
    model = SentenceTransformer(str(model_folder), device="cpu")
    documents, queries = list(data.documents), list(data.queries)
    vectors = model.encode_document(documents)
    asked = model.encode_query(queries)
    tokens = list(token_arrays(model, documents, "document"))
    asked_tokens = list(token_arrays(model, queries, "query"))
    dim, width = vectors.shape[1], tokens[0].shape[1]
    ranked: dict[str, np.ndarray] = {}
    for bits in (8, 1):
        with (
            tempfile.TemporaryDirectory() as folder,
            Index.create(
                Path(folder) / "i.db", dim=dim, matryoshka_dims=[dim], identity="b"
            ) as index,
        ):
            index.create_token_index(width, slice=(width, bits))
            index.add(documents, vectors=vectors, token_vectors=tokens)
            for name, late in (("vectors", False), (f"MaxSim at {width}x{bits}", True)):
                rows = np.full((len(queries), CANDIDATES), -1)
                for number, (one, many) in enumerate(zip(asked, asked_tokens, strict=True)):
                    dense = Prefetch(query=one, limit=CANDIDATES)
                    found = (
                        index.query(MultiVector(many), prefetch=dense, limit=CANDIDATES)
                        if late
                        else index.query(one, limit=CANDIDATES)
                    )
                    ids = [int(hit.id) - 1 for hit in found.hits]
                    rows[number, : len(ids)] = ids
                ranked[name] = rows
    each = {name: each_query(rows, data.judgements)["ndcg@10"] for name, rows in ranked.items()}
    table: list[dict[str, object]] = []
    for name, values in each.items():
        measured, change = mean(100 * values), mean(100 * (values - each["vectors"]))
        table.append(
            {
                "data": data.name,
                "order": name,
                "queries": len(queries),
                "ndcg@10": round(measured.value, 1),
                "change": [round(n, 1) for n in (change.value, change.low, change.high)],
            }
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--model", type=Path, help="a sentence-transformers folder")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="BEIR's layout")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = {
        "machine": describe(),
        "rows": costs(arguments.rounds),
        "quality": [
            row
            for data in arguments.data
            if arguments.model
            for row in quality(arguments.model, data)
        ],
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
        print("\n| data | order | queries | nDCG@10 | change (95 %) |")
        print("|---|---|---|---|---|")
    for row in result["quality"]:
        value, low, high = row["change"]
        print(
            f"| {row['data']} | {row['order']} | {row['queries']} | {row['ndcg@10']} | "
            f"{value:+} ({low:+} to {high:+}) |"
        )


if __name__ == "__main__":
    main()
