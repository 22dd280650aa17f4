"""How lists grow with documents: the law of `list_growth`, fitted to some vectors and checked on
others.

    python -m benchmarks.lists FOLDER --bundle BUNDLE --cache FILE \\
        --check-bundle OTHER --check-cache FILE

FOLDER and the caches are those of benchmarks.search. For documents and for real queries, and for
each slice, lists that hold 98, 99 and 99.6 % of the float32 top 10 are counted among the first
2000 to all documents. The exponent whose foretold lists are nearest to those among all of them, by
the root mean square of the logarithm, is fitted on the first vectors alone. *times* is foretold
over counted in the geometric mean, *rms* the root mean square of that factor.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.contender import K
from benchmarks.vectors import Sample, embed
from edge_mrl import kernel
from edge_mrl.cli.output import format_table
from edge_mrl.index.format import segments
from edge_mrl.index.format.codes import encode, rotate_query
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.vector_rows import Vectors
from edge_mrl.index.searching.list_growth import EXPONENT, grown
from edge_mrl.index.storage.packing import one_block
from edge_mrl.slices import FloatArray, Slice

SHARES = (0.98, 0.99, 0.996)
STARTS = (2000, 4096, 16_384)
FITTED_FROM = STARTS[-1]
EXPONENTS = tuple(hundredth / 100 for hundredth in range(15, 61))
_ROWS = 8192
_TOGETHER = 25


class Curve(NamedTuple):
    """How long a list is.

    Attributes:
        kind: what asks, and of which slice.
        share: of the true top 10 that it holds.
        rows: its length by number of documents.
    """

    kind: str
    share: float
    rows: dict[int, int]


def slices(dim: int) -> list[Slice]:
    """First stages, from those that need long lists to those that need short ones."""
    return [Slice(64, 1), Slice(128, 1), Slice(32, 4), Slice(dim, 1), Slice(dim, 2)]


def true_tops(
    documents: FloatArray, queries: FloatArray, sizes: list[int], *, own: bool
) -> list[dict[int, npt.NDArray[np.int64]]]:
    """The float32 top 10 of every query among the first documents, by their number; with `own`,
    query i is document i and not its own neighbour."""
    found = []
    for start in range(0, len(queries), _TOGETHER):
        cosines = queries[start : start + _TOGETHER] @ documents.T
        for place, row in enumerate(cosines, start):
            if own:
                row[place] = -np.inf
            found.append({size: np.argpartition(-row[:size], K)[:K] for size in sizes})
    return found


def curves(sample: Sample, asking: int) -> list[Curve]:
    """Lists counted among real vectors.

    Args:
        sample: documents and queries.
        asking: how many documents ask, and at most how many queries.
    """
    documents = sample.documents
    sizes = [*(size for size in STARTS if size < len(documents)), len(documents)]
    found = []
    for name, queries in (("documents", documents[:asking]), ("queries", sample.queries[:asking])):
        own = name == "documents"
        tops = true_tops(documents, queries, sizes, own=own)
        for slice_ in slices(documents.shape[1]):
            depths = _depths(documents, queries, slice_, tops, own=own)
            for share in SHARES:
                rows = {
                    size: int(np.sort(each)[math.ceil(share * each.size) - 1])
                    for size, each in depths.items()
                }
                found.append(Curve(f"{name} {slice_}", share, rows))
    return found


def _depths(
    documents: FloatArray,
    queries: FloatArray,
    slice_: Slice,
    tops: list[dict[int, npt.NDArray[np.int64]]],
    *,
    own: bool,
) -> dict[int, npt.NDArray[np.int64]]:
    """How long a list must be for each true neighbour of each query, by number of documents."""
    layout = IndexLayout(Slice(documents.shape[1], 8), slice_)
    blocks = []
    for start in range(0, len(documents), _ROWS):
        part = documents[start : start + _ROWS]
        numbers = np.arange(start + 1, start + 1 + len(part))
        vectors = Vectors(numbers, encode(part, layout.stored), layout.stored)
        blocks.append(segments.build(start + 1, start + len(part), vectors, layout).block)
    block = one_block(blocks)
    found: dict[int, list[int]] = {size: [] for size in tops[0]}
    for place, (query, top) in enumerate(zip(queries, tops, strict=True)):
        scores = kernel.score(kernel.prepare(rotate_query(query, slice_), slice_.bits), block)
        if own:
            scores[place] = np.iinfo(scores.dtype).min
        for size, nearest in top.items():
            among = scores[:size]
            found[size] += [int(np.count_nonzero(among >= score)) for score in scores[nearest]]
    return {size: np.array(depths) for size, depths in found.items()}


def errors(counted: list[Curve], start: int, exponent: float) -> npt.NDArray[np.float64]:
    """Logarithms of foretold over counted lists, from `start` documents to all of them."""
    found = []
    for curve in counted:
        last = max(curve.rows)
        foretold = grown(curve.rows[start], start, last, K, exponent)
        found.append(math.log(foretold / curve.rows[last]))
    return np.array(found)


def fitted(counted: list[Curve]) -> float:
    """The exponent with the smallest root mean square error."""
    return min(EXPONENTS, key=lambda each: np.mean(errors(counted, FITTED_FROM, each) ** 2))


def _factors(found: npt.NDArray[np.float64]) -> list[str]:
    spread = math.sqrt(np.mean(found**2))
    ends = math.exp(found.min()), math.exp(found.max())
    return [
        f"{math.exp(found.mean()):.2f}",
        f"{math.exp(spread):.2f}",
        "{:.2f}-{:.2f}".format(*ends),
    ]


def main() -> None:
    """Count, fit, print."""
    parser = argparse.ArgumentParser(description="How lists grow with documents.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--check-bundle", type=Path, required=True)
    parser.add_argument("--check-cache", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=250, help="of each kind (default 250)")
    args = parser.parse_args()
    samples = [
        embed(args.folder, bundle, cache, args.queries)
        for bundle, cache in ((args.bundle, args.cache), (args.check_bundle, args.check_cache))
    ]
    if any(len(sample.documents) <= FITTED_FROM for sample in samples):
        parser.error(f"{args.folder} gives too few documents: more than {FITTED_FROM} are needed")
    fit, check = (curves(sample, args.queries) for sample in samples)
    best = fitted(fit)
    print(f"fitted to the first vectors from {FITTED_FROM} documents: {best:.2f}; ", end="")
    print(f"to the others they would give {fitted(check):.2f}; list_growth has {EXPONENT}")
    rows = [
        [name, str(start), f"{exponent:.2f}", *_factors(errors(counted, start, exponent))]
        for name, counted in (("fit", fit), ("check", check))
        for start in STARTS
        for exponent in sorted({best, EXPONENT})
    ]
    print(format_table(["vectors", "from", "exponent", "times", "rms", "least-most"], rows))
    lists = [
        [name, each.kind, *(f"{size}: {rows}" for size, rows in each.rows.items())]
        for name, counted in (("fit", fit), ("check", check))
        for each in counted
        if each.share == 0.99
    ]
    print(format_table(["vectors", "for 0.99", "", "", "", ""], lists))


if __name__ == "__main__":
    main()
