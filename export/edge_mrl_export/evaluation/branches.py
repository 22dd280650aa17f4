"""Is fusion worth it here: an index searched by vectors, by words, and by both, on labelled data.

Fusion does not always help, so nothing is assumed: the difference to the better single branch is
taken query by query, with its interval, and fusion is recommended only where that lies above 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_mrl.errors import InputError
from edge_mrl.index import Index
from edge_mrl.retrieval import Prefetch
from edge_mrl_export.evaluation.data import JudgedQueries, read_judged
from edge_mrl_export.evaluation.measures import DEPTH, Measured, each_query, mean
from edge_mrl_export.extras import require

SINGLE = ("dense", "lexical")
FUSED = ("rrf", "dbsf")
_MEASURE = "ndcg@10"

_BRANCHES = (Prefetch(using="dense", limit=DEPTH), Prefetch(using="lexical", limit=DEPTH))

OnProgress = Callable[[int], None]
"""Called with how many queries were asked."""


@dataclass(frozen=True, slots=True)
class BranchReport:
    """What each way to search an index is worth.

    Attributes:
        data: the name of the labelled set.
        queries: how many were asked.
        documents: in the index.
        measures: way -> measure -> value with its interval.
        single: the better of dense and lexical.
        fused: the better of the fusions.
        gain: nDCG@10 of `fused` less that of `single`, query by query.
        recommended: the way to take.
    """

    data: str
    queries: int
    documents: int
    measures: dict[str, dict[str, Measured]]
    single: str
    fused: str
    gain: Measured

    @property
    def recommended(self) -> str:
        """`fused` where its gain is clearly above 0, else `single`."""
        return self.fused if self.gain.low > 0 else self.single


def compare(
    index: Index, data: Path, *, on_progress: OnProgress = lambda done: None
) -> BranchReport:
    """Ask each labelled query in four ways.

    Args:
        index: open with its encoder, with a lexical index; its ids are those of the judgements.
        data: a folder with queries.jsonl and qrels/test.tsv.
        on_progress: called while queries are asked.

    Raises:
        InputError: the index has no lexical index, or none of the judged documents.
        CorpusError: a file of the data cannot be read.
        ExportError: the package that computes the measures is not installed.
    """
    require("ir_measures", "scipy", extra="eval", what="evaluation")
    judged = read_judged(data)
    if index.lexical_index is None:
        raise InputError(
            "the index has no lexical index to compare with: make one with "
            "`edge-mrl optimize INDEX --lexical unicode61`"
        )
    places = _places(index, judged)
    found: dict[str, list[list[int]]] = {way: [] for way in (*SINGLE, *FUSED)}
    for number, query in enumerate(judged.queries, 1):
        for way, rows in found.items():
            if way in SINGLE:
                result = index.query(query, using=way, limit=DEPTH)
            else:
                result = index.query(query, prefetch=_BRANCHES, fusion=way, limit=DEPTH)
            rows.append([places.setdefault(str(hit.id), len(places)) for hit in result.hits])
        on_progress(number)
    grades = [
        {places[name]: grade for name, grade in one.items() if name in places}
        for one in judged.judgements
    ]
    values = {way: each_query(_table(rows), grades) for way, rows in found.items()}
    single, fused = (
        max(ways, key=lambda way: float(values[way][_MEASURE].mean())) for ways in (SINGLE, FUSED)
    )
    return BranchReport(
        judged.name,
        len(judged.queries),
        len(index),
        {way: {name: mean(each) for name, each in one.items()} for way, one in values.items()},
        single,
        fused,
        mean(values[fused][_MEASURE] - values[single][_MEASURE]),
    )


def _places(index: Index, judged: JudgedQueries) -> dict[str, int]:
    """A number for each judged document that the index holds.

    Raises:
        InputError: it holds none, so it is not an index of this data.
    """
    names = sorted({name for one in judged.judgements for name in one})
    held = {str(document.id) for document in index.get([*names, *_numbers(names)])}
    if not held:
        raise InputError(
            f"the index holds none of the documents that {judged.name} judges, such as "
            f"{names[0]!r}: give the data that belongs to its documents"
        )
    # A judged document that the index lacks counts as one that was not found.
    return {name: place for place, name in enumerate(names)}


def _numbers(names: list[str]) -> list[int]:
    """Ids that may have been whole numbers."""
    return [int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 19]


def _table(rows: list[list[int]]) -> npt.NDArray[np.intp]:
    """Ragged lists as one table, filled up with -1."""
    table = np.full((len(rows), DEPTH), -1, dtype=np.intp)
    for number, row in enumerate(rows):
        table[number, : len(row)] = row
    return table
