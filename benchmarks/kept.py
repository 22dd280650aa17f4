"""What smaller variants keep of fp32's retrieval: nDCG@10 at every trained size, query by query.

    python -m benchmarks.kept BUNDLE FOLDER... [--reference NAME] [--variant NAME ...]
        [--documents N] [--queries N] [--cache DIR]

Each FOLDER is a labelled set in BEIR's layout. The reference is the bundle's first fp32 variant,
unless another is named. Differences to it are paired: the interval is over queries, of the
difference of each one, and so is much narrower than those of the two figures. Sets of more than
--documents (default 3000) keep all judged ones and an even selection of the others, sets of more
than --queries (default 2000) an even selection of those. With --cache, vectors are kept there, so
that a run that was ended goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from edge_mrl import Bundle, Encoder
from edge_mrl.backends import available
from edge_mrl.bundle import Variant
from edge_mrl.cli.output import Progress, format_table
from edge_mrl.slices import FloatArray, prefix
from edge_mrl_export.evaluation.data import RetrievalData, read_data
from edge_mrl_export.evaluation.measures import each_query, mean, rank_documents
from edge_mrl_export.evaluation.run import embed
from edge_mrl_export.sample import evenly

DOCUMENTS = 3000
QUERIES = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--reference", metavar="NAME")
    parser.add_argument("--variant", nargs="+", help="default: every variant that can run here")
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--cache", type=Path, metavar="DIR", help="a folder for the vectors")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    manifest = Bundle.open(arguments.bundle).manifest
    whole = [one.name for one in manifest.variants if one.precision == "fp32"]
    if arguments.reference is None and not whole:
        parser.error("the bundle has no fp32 variant: name another with --reference")
    reference = manifest.variant(arguments.reference or whole[0])
    names = arguments.variant or [one.name for one in manifest.variants if available(one)]
    variants = [manifest.variant(name) for name in names if name != reference.name]
    rows = []
    for folder in arguments.data:
        data = read_data(folder)
        if not isinstance(data, RetrievalData):
            parser.error(f"{folder} holds pairs, not documents and queries")
        part = smaller(data, arguments.documents, arguments.queries)
        rows += measure(
            arguments.bundle, part, [reference, *variants], arguments.threads, arguments.cache
        )
    result = {"machine": describe(), "rows": rows}
    if arguments.json:
        print(json.dumps(result, indent=2))
        return
    print(", ".join(f"{key} {value}" for key, value in describe().items()))
    cells = [
        [
            str(row["data"]),
            str(row["variant"]),
            str(row["dim"]),
            f"{row['ndcg@10']:.1f}",
            in_words(row["difference"]),
        ]
        for row in rows
    ]
    header = ["data", "variant", "size", "nDCG@10", f"against {reference.name}, 95 %"]
    print(format_table(header, cells, left=(0, 1)))


def in_words(difference: tuple[float, float, float] | None) -> str:
    return "" if difference is None else "{:+.2f} ({:+.2f} to {:+.2f})".format(*difference)


def measure(
    bundle: Path,
    data: RetrievalData,
    variants: list[Variant],
    threads: int | None,
    cache: Path | None,
) -> list[dict[str, object]]:
    """A row for each variant and size; the first variant is the reference."""
    reference: dict[int, FloatArray] = {}
    rows: list[dict[str, object]] = []
    for variant in variants:
        queries, documents = vectors(bundle, data, variant, threads, cache)
        for dim in variant.dims:
            ranked = rank_documents(prefix(queries, dim), prefix(documents, dim))
            found = 100 * each_query(ranked, data.judgements)["ndcg@10"]
            against = reference.setdefault(dim, found)
            difference = mean(found - against)
            rows.append(
                {
                    "data": data.name,
                    "documents": len(data.documents),
                    "queries": len(data.queries),
                    "variant": variant.name,
                    "dim": dim,
                    "ndcg@10": float(found.mean()),
                    "difference": None
                    if against is found
                    else (difference.value, difference.low, difference.high),
                }
            )
    return rows


def vectors(
    bundle: Path, data: RetrievalData, variant: Variant, threads: int | None, cache: Path | None
) -> tuple[FloatArray, FloatArray]:
    """Vectors of queries and documents at full size."""
    texts = "\0".join([*data.queries, *data.documents])
    sums = {file.path: file.sha256 for file in Bundle.open(bundle).manifest.files}
    key = hashlib.sha256("\0".join([texts, *(sums[file] for file in variant.files)]).encode())
    place = None if cache is None else cache / f"{key.hexdigest()[:32]}.npz"
    if place is not None and place.exists():
        with np.load(place) as kept:
            return kept["queries"], kept["documents"]
    encoder = Encoder.load(bundle, variant=variant.name, threads=threads)
    bar = Progress(f"{data.name}, {variant.name}", None, "texts")
    queries, documents = embed(encoder, data, lambda _, done, total: bar.update(done))
    bar.finish()
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_suffix(".part.npz")
        np.savez(unfinished, queries=queries, documents=documents)
        unfinished.replace(place)
    return queries, documents


def smaller(data: RetrievalData, documents: int, queries: int) -> RetrievalData:
    """An even selection of the queries, all documents that are judged for them, and of the others
    as many as there is room for."""
    asked = evenly(range(len(data.queries)), queries)
    judgements = [data.judgements[query] for query in asked]
    judged = sorted({place for grades in judgements for place in grades})
    others = sorted(set(range(len(data.documents))) - set(judged))
    kept = sorted([*judged, *evenly(others, max(0, documents - len(judged)))])
    place = {old: new for new, old in enumerate(kept)}
    return replace(
        data,
        documents=tuple(data.documents[old] for old in kept),
        queries=tuple(data.queries[query] for query in asked),
        judgements=tuple(
            {place[old]: grade for old, grade in grades.items()} for grades in judgements
        ),
    )


if __name__ == "__main__":
    main()
