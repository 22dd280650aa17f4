"""BM25 as SQLite's FTS5 computes it, over arrays. Pure.

score = sum over the words of idf x f (k1 + 1) / (f + k1 (1 - b + b length / mean length)), where f
is how often a word stands in the document and idf = ln((N - n + 0.5) / (n + 0.5)) for n of N
documents with the word, or 1e-6 where more than half have it (S. Robertson and H. Zaragoza, "The
Probabilistic Relevance Framework: BM25 and Beyond", 2009; k1 and b as in FTS5's `bm25`, whose sign
is the other way round).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

K1 = 1.2
B = 0.75
_LEAST_IDF = 1e-6
_SAMPLED = 16

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


@dataclass(frozen=True, slots=True)
class Impacts:
    """What a word adds to the score of each document that holds it.

    Attributes:
        places: (n,) int32, rising.
        scores: (n,) float32, above 0.
    """

    places: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.places.nbytes + self.scores.nbytes


def idf(documents: int, holding: int) -> float:
    """The weight of a word that `holding` of `documents` hold."""
    return max(_LEAST_IDF, math.log((documents - holding + 0.5) / (holding + 0.5)))


def norms(lengths: IntArray) -> ScoreArray:
    """What the length of each document adds below the line.

    Args:
        lengths: (N,) words of each document.
    """
    mean = float(lengths.mean()) if lengths.size else 1.0
    found: ScoreArray = K1 * (1 - B + B * lengths.astype(np.float64) / (mean or 1.0))
    return found


def impacts(word: Postings, norms_: ScoreArray) -> Impacts:
    """Score one word.

    Args:
        word: where it stands.
        norms_: (N,) from `norms`.
    """
    counts = word.counts.astype(np.float64)
    weight = idf(norms_.size, word.places.size) * (K1 + 1)
    scores = weight * counts / (counts + norms_[word.places])
    return Impacts(word.places.astype(np.int32), scores.astype(np.float32))


def summed(words: Sequence[Impacts], documents: int) -> ScoreArray:
    """Scores of all documents; 0 for those that hold none of the words.

    Returns:
        (documents,) float64.
    """
    scores = np.zeros(documents)
    for word in words:
        scores[word.places] += word.scores
    return scores


def holding_all(words: Sequence[Impacts], documents: int) -> npt.NDArray[np.bool_]:
    """Which documents hold every word.

    Returns:
        (documents,) bool.
    """
    held = np.zeros(documents, dtype=np.int32)
    for word in words:
        held[word.places] += 1
    every: npt.NDArray[np.bool_] = held == len(words)
    return every


def best_places(scores: ScoreArray, limit: int) -> IntArray:
    """Places of the `limit` best scores above 0, and of any that equal the last of them.

    A sixteenth of the scores gives a threshold that about twice as many reach, so that few are put
    in order; where fewer reach it than are wanted, all are.

    Returns:
        Places in rising order.
    """
    sample = scores[::_SAMPLED]
    wanted = 2 * limit // _SAMPLED + _SAMPLED
    least = 0.0
    if sample.size > 4 * wanted:
        least = float(np.partition(sample, sample.size - wanted)[sample.size - wanted])
    places = np.flatnonzero(scores >= least) if least > 0 else np.flatnonzero(scores)
    if places.size < limit:
        places = np.flatnonzero(scores)
    if places.size > limit:
        values = scores[places]
        places = places[values >= np.partition(values, places.size - limit)[places.size - limit]]
    return places
