"""BM25 as SQLite's FTS5 computes it, over arrays. Pure.

score = sum over the words of idf x f (k1 + 1) / (f + k1 (1 - b + b length / mean length)), where f
is how often a word stands in the document and idf = ln((N - n + 0.5) / (n + 0.5)) for n of N
documents with the word, or 1e-6 where more than half have it (S. Robertson and H. Zaragoza, "The
Probabilistic Relevance Framework: BM25 and Beyond", 2009; k1 and b as in FTS5's `bm25`, whose sign
is the other way round).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

K1 = 1.2
B = 0.75
_LEAST_IDF = 1e-6

IntArray = npt.NDArray[np.int64]
ScoreArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Postings:
    """Where a word stands.

    Attributes:
        places: (n,) rising places of documents.
        counts: (n,) how often it stands in each.
    """

    places: IntArray
    counts: IntArray

    @classmethod
    def of(cls, occurrences: IntArray) -> Postings:
        """From the place of each occurrence, rising."""
        if not occurrences.size:
            return cls(occurrences, occurrences)
        starts = np.flatnonzero(np.concatenate([[True], occurrences[1:] != occurrences[:-1]]))
        return cls(occurrences[starts], np.diff(starts, append=occurrences.size))


def idf(documents: int, holding: int) -> float:
    """The weight of a word that `holding` of `documents` hold."""
    return max(_LEAST_IDF, math.log((documents - holding + 0.5) / (holding + 0.5)))


def norms(lengths: npt.NDArray[np.unsignedinteger[Any]], mean: float) -> ScoreArray:
    """What the length of each document adds below the line.

    Args:
        lengths: (n,) words of some documents.
        mean: words of a document of all.
    """
    found: ScoreArray = K1 * (1 - B + B * lengths.astype(np.float64) / mean)
    return found


def scores(word: Postings, norms_: ScoreArray, documents: int) -> ScoreArray:
    """What a word adds to the score of each document that has it.

    Args:
        word: where it stands.
        norms_: (n,) of those documents, from `norms`.
        documents: how many there are in all.

    Returns:
        (n,) above 0, as `word.places`.
    """
    found: ScoreArray = word.counts / (word.counts + norms_)
    found *= idf(documents, word.places.size) * (K1 + 1)
    return found
