"""Choosing what a device runs: a pure function of bundle, profile and number of documents."""

from __future__ import annotations

from edge_mrl.errors import PlanError
from edge_mrl.planning import cost
from edge_mrl.planning.candidates import Candidate, Request, candidates
from edge_mrl.planning.facts import BundleFacts
from edge_mrl.planning.plan import Plan
from edge_mrl.planning.profile import DeviceProfile
from edge_mrl.planning.reasons import best_missed, reasons, worst_budget
from edge_mrl.planning.refusal import refusal

LEAST_RECALL = 0.5
MOST_RECALL = 0.999
"""Outside of these the shortlist's law is not known to hold."""

MOST_DOCUMENTS = 10**10


def plan(
    facts: BundleFacts,
    profile: DeviceProfile,
    documents: int,
    *,
    text_bytes_per_document: int = cost.DEFAULT_TEXT_BYTES,
    recall: float = cost.TABLE_RECALL,
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

    Raises:
        PlanError: nothing fits (the message says by how much and what would have to give), or an
            argument is out of range.
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
    request = Request(facts, profile, documents, text_bytes_per_document, recall)
    known = candidates(request)
    fitting = [one for one in known if not one.overruns(profile.budgets)]
    if not fitting:
        raise refusal(request, known)
    chosen = min(fitting, key=lambda one: _order(one, profile))
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
