"""How many candidates the scan must hand on. Pure arithmetic.

The scan orders rows by coarse codes, and may hand a first list on to finer codes in memory; the
best of these, the shortlist, are read again at the stored precision. How long the lists must be
depends on the model and the texts, so it is measured on the index's own vectors: documents stand in
as queries, and the depth at which the codes have all but a part of their true neighbours is what is
needed. That part is 1 %, less what the stored precision loses (`stored_loss`); two lists share it
by what their rows cost. Some hundred queries do not tell that depth exactly, so a list is the upper
end of its confidence interval, and the recall is stated with one.

Both intervals are percentile bootstraps (B. Efron and R. Tibshirani, "An Introduction to the
Bootstrap", 1993, chapter 13) that draw whole queries: neighbours of one query are found or missed
together, so an interval that counts them one by one, as Wilson's would, is too narrow.

`trials` finds the depths, `list_choice` the lists. Of the shortlist itself only rows are read that
are estimated within a margin of the best, which is measured in the same way; see `margin`.
"""

import json
import math
from typing import NamedTuple, Self

from edge_mrl.errors import IndexFileError
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.searching.list_growth import grown
from edge_mrl.schema import Table

MEASURED_K = 10

LEAST_DOCUMENTS = 2000
"""A smaller index is not measured: the unmeasured shortlist reads half of it anyway."""

UNMEASURED_SHORTLIST = 1000
"""Until the first measurement: five times what 1 bit at 256 dimensions needed among 100 000 texts
(192)."""

UNMEASURED_REFINED_LIST = 150
"""The same where finer codes order the candidates first: what 2 bits at 256 dimensions needed there
was 40. A small index that is never measured would otherwise reread half of itself."""

UNMEASURED_FIRST_LIST = 4000
"""Until the first measurement, where finer codes follow: twice what 1 bit at 128 dimensions needed
there (2128)."""

CONFIDENCE = 0.95
"""Of the interval of the recall, and one-sided of the shortlist. Among 99 272 texts (wordllama,
64x4) the shortlists of three samples found 0.987 to 0.990 of the top 10 of 600 held-out texts
without this margin and 0.991 to 0.993 with it, at 1.4 to 1.6 times the length."""

_ROUNDING = 1e-6
_LARGEST = 2**40
WIDEST_MARGIN = 4.0
"""Of a margin: all rows lie within it."""


class Measurement(NamedTuple):
    """The shortlist that an index's own vectors asked for.

    Attributes:
        shortlist: candidates that give the wanted share of the top 10 with `CONFIDENCE`.
        recall: the share of the stored vectors' own top 10 found at that length on the sample.
        documents: how many documents the index held.
        sampled: how many of them were searched.
        queries: how many of them stood in as queries.
        recall_low: lower end of the interval of `recall`, for queries that are like the documents
            and an index of the sample's size; None in files that were written without it.
        recall_high: its upper end.
        first_list: candidates that the scan must hand on to finer codes; None without those.
        margin: how far the estimated cosine of a row of the shortlist may lie below the tenth best;
            None in files that were written without it: all of the shortlist is read.
        stored_loss: the share of the float32 top 10 that is not among the stored vectors' own, as
            the length of their steps lets expect; None in files that were written without it.
    """

    shortlist: int
    recall: float
    documents: int
    sampled: int
    queries: int
    recall_low: float | None = None
    recall_high: float | None = None
    first_list: int | None = None
    margin: float | None = None
    stored_loss: float | None = None

    @property
    def float32_recall(self) -> float | None:
        """The share of the float32 top 10 that is found; None where the loss is not known."""
        return None if self.stored_loss is None else self.recall * (1 - self.stored_loss)

    def to_json(self) -> str:
        """The JSON text that is stored."""
        return json.dumps(self._asdict())

    @classmethod
    def from_json(cls, text: str, where: str) -> Self:
        """Read it back.

        Raises:
            IndexFileError: it is not what `to_json` writes.
        """
        try:
            table = Table(json.loads(text), where, IndexFileError)
        except (json.JSONDecodeError, RecursionError) as error:
            raise IndexFileError(
                f"{where} is damaged ({error}): optimise the index or build it again"
            ) from error
        return cls(
            shortlist=table.integer("shortlist", 1, _LARGEST),
            recall=table.number("recall", 0, 1),
            documents=table.integer("documents", 1, _LARGEST),
            sampled=table.integer("sampled", 1, _LARGEST),
            queries=table.integer("queries", 1, _LARGEST),
            recall_low=table.optional_number("recall_low", 0, 1),
            recall_high=table.optional_number("recall_high", 0, 1),
            first_list=table.optional_integer("first_list", 1, _LARGEST),
            margin=table.optional_number("margin", 0, WIDEST_MARGIN),
            stored_loss=table.optional_number("stored_loss", 0, 1),
        )


def shortlists_for(
    measurement: Measurement | None, layout: IndexLayout, documents: int, k: int
) -> tuple[int, ...]:
    """How many candidates each list holds.

    Args:
        measurement: None before the first.
        layout: the slices; its `resident` ones have a list each.
        documents: how many documents the index holds now, 1 or more.
        k: hits wanted; a list for more than 10 grows in proportion.

    Returns:
        Falling lengths, each from min(k, documents) to `documents`; the last one is how many rows
        are read again at the stored precision.
    """
    first = last = None
    sampled = documents
    if measurement is not None:
        first, last, sampled = (
            measurement.first_list,
            measurement.shortlist,
            measurement.sampled,
        )
    many = max(1.0, k / MEASURED_K)

    def length(measured: int | None, unmeasured: int) -> int:
        base = float(unmeasured)
        if measured is not None:
            # Whose rows were deleted is nobody's choice of a sample, so lists do not shrink.
            base = grown(measured, sampled, max(documents, sampled), MEASURED_K)
        return min(documents, max(k, math.ceil(base * many - _ROUNDING)))

    if layout.refine is None:
        return (length(last, UNMEASURED_SHORTLIST),)
    scanned = length(first, UNMEASURED_FIRST_LIST)
    refined = length(last, UNMEASURED_REFINED_LIST)
    return max(scanned, refined), refined


def is_due(measurement: Measurement | None, documents: int, *, least: int) -> bool:
    """Whether to measure again: the index has doubled, or has reached `least` without a
    measurement."""
    return documents >= (least if measurement is None else 2 * measurement.documents)
