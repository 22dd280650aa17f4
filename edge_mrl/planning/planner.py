"""Choosing what a device runs: a pure function of bundle, profile and number of documents."""

from __future__ import annotations

from dataclasses import dataclass

from edge_mrl.errors import PlanError
from edge_mrl.planning import cost
from edge_mrl.planning.candidates import Candidate, Request, candidates
from edge_mrl.planning.facts import BundleFacts, IndexFacts
from edge_mrl.planning.plan import Plan
from edge_mrl.planning.profile import DeviceProfile
from edge_mrl.planning.reasons import best_missed, reasons, worst_budget
from edge_mrl.planning.refusal import refusal

LEAST_RECALL = 0.5
MOST_RECALL = 0.999
"""Outside of these the shortlist's law is not known to hold."""

MOST_DOCUMENTS = 10**10


@dataclass(frozen=True, slots=True)
class Survey:
    """All choices for one device and number of documents.

    Attributes:
        request: what was asked.
        known: every choice, fitting or not.
        chosen: the best of those that fit, None where none does.
    """

    request: Request
    known: tuple[Candidate, ...]
    chosen: Candidate | None


def survey(
    facts: BundleFacts,
    profile: DeviceProfile,
    documents: int,
    *,
    text_bytes_per_document: int = cost.DEFAULT_TEXT_BYTES,
    recall: float = cost.TABLE_RECALL,
    index: IndexFacts | None = None,
) -> Survey:
    """Look at every choice. The arguments are those of `plan`.

    Raises:
        PlanError: an argument is out of range.
    """
    if not 0 <= documents <= MOST_DOCUMENTS:
        raise PlanError(
            f"cannot plan for {documents} documents: give a number from 0 to {MOST_DOCUMENTS}"
        )
    if text_bytes_per_document < 0:
        raise PlanError(
            f"a document cannot have {text_bytes_per_document} bytes of text: give 0 or more"
        )
    if not LEAST_RECALL <= recall <= MOST_RECALL:
        raise PlanError(
            f"cannot plan for a recall of {recall:g}: give {LEAST_RECALL:g} to {MOST_RECALL:g}"
        )
    request = Request(facts, profile, documents, text_bytes_per_document, recall, index)
    known = candidates(request)
    fitting = [one for one in known if not one.overruns(profile.budgets)]
    chosen = min(fitting, key=lambda one: _order(one, profile)) if fitting else None
    return Survey(request, known, chosen)


def plan(
    facts: BundleFacts,
    profile: DeviceProfile,
    documents: int,
    *,
    text_bytes_per_document: int = cost.DEFAULT_TEXT_BYTES,
    recall: float = cost.TABLE_RECALL,
    index: IndexFacts | None = None,
) -> Plan:
    """Choose variant, stored slice and scan slice for a device.

    Among all choices that keep every budget: the most quality (in steps of
    `candidates.QUALITY_STEP`), then the fastest encoder, then the least share of the memory and
    latency budgets, then the smallest index file. The same input always gives the same plan.

    Args:
        facts: what the bundle offers.
        profile: the device and its budgets.
        documents: how many documents the index will hold, 0 or more.
        text_bytes_per_document: mean size of a document's text, for the size of the file.
        recall: the share of the stored slice's top 10 that the shortlist is to hold, 0.5 to 0.999.
        index: an index that exists. For its layout the shortlist that it measured on its own
            vectors holds, instead of the bundle's table, which was measured on other texts.

    Raises:
        PlanError: nothing fits (the message says by how much and what would have to give), or an
            argument is out of range.
    """
    found = survey(
        facts,
        profile,
        documents,
        text_bytes_per_document=text_bytes_per_document,
        recall=recall,
        index=index,
    )
    request, known, chosen = found.request, found.known, found.chosen
    if chosen is None:
        raise refusal(request, known)
    missed = best_missed(request, known, chosen)
    return Plan(
        device=profile.name,
        documents=documents,
        variant=chosen.variant.name,
        threads=cost.THREADS,
        layout=chosen.layout,
        shortlist=chosen.shortlist,
        memory_bytes=chosen.cost.memory_bytes,
        encoder_bytes=chosen.cost.encoder_bytes,
        index_file_bytes=chosen.cost.file_bytes,
        query_latency_ms=1e3 * chosen.cost.latency,
        recall=chosen.recall,
        quality_kept=chosen.quality_kept,
        bound_by=None if missed is None else worst_budget(request, missed),
        because=reasons(request, known, chosen, missed),
    )


def _order(one: Candidate, profile: DeviceProfile) -> tuple[float | str, ...]:
    layout = one.layout
    return (
        -one.step,
        cost.encode_time(one.variant),
        one.budget_share(profile.budgets),
        one.cost.file_bytes,
        # From here on only so that equal choices always fall the same way.
        one.variant.name,
        layout.stored.dim,
        layout.stored.bits,
        layout.scan.dim,
        layout.scan.bits,
    )
