"""Choosing what a device runs: a pure function of bundle, profile and number of documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge_mrl.bundle.manifest import Manifest
from edge_mrl.errors import PlanError
from edge_mrl.planning.adding_cost import adding_memory, batch_for
from edge_mrl.planning.candidates import Candidate, Request, candidates, with_rows_held
from edge_mrl.planning.companion_cost import NO_COMPANIONS, Companions
from edge_mrl.planning.encoder_cost import THREADS
from edge_mrl.planning.expected_lists import TABLE_RECALL
from edge_mrl.planning.facts import BundleFacts, IndexFacts
from edge_mrl.planning.file_cost import DEFAULT_TEXT_BYTES
from edge_mrl.planning.overruns import worst_budget
from edge_mrl.planning.plan import Plan
from edge_mrl.planning.reasons import adding_reason, best_missed, reasons, row_cache_reason
from edge_mrl.planning.refusal import refusal
from edge_mrl.planning.search_cost import code_memory
from edge_mrl.profiles.profile import DeviceProfile

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


class HasManifest(Protocol):
    """A bundle that was opened."""

    @property
    def manifest(self) -> Manifest:
        """What it says of itself."""


def survey(
    bundle: BundleFacts | HasManifest,
    profile: DeviceProfile,
    documents: int | None = None,
    *,
    text_bytes_per_document: int = DEFAULT_TEXT_BYTES,
    recall: float = TABLE_RECALL,
    index: IndexFacts | None = None,
    keep_layout: bool = False,
    companions: Companions = NO_COMPANIONS,
    text_tokens: int | None = None,
) -> Survey:
    """Look at every choice. The arguments are those of `plan`.

    Raises:
        PlanError: an argument is out of range.
    """
    if not isinstance(profile, DeviceProfile):
        raise PlanError(
            f"the profile must be a DeviceProfile, not {profile!r}: load_profile(name) gives one"
        )
    if not isinstance(bundle, BundleFacts):
        bundle = BundleFacts.from_manifest(bundle.manifest)
    if documents is None:
        if index is None:
            raise PlanError("for how many documents? give a number, or the facts of an index")
        documents = index.documents
    if not 0 <= documents <= MOST_DOCUMENTS:
        raise PlanError(
            f"cannot plan for {documents} documents: give a number from 0 to {MOST_DOCUMENTS}"
        )
    if text_bytes_per_document < 0:
        raise PlanError(
            f"a document cannot have {text_bytes_per_document} bytes of text: give 0 or more"
        )
    if text_tokens is not None and text_tokens < 1:
        raise PlanError(f"a text cannot need {text_tokens} tokens: give 1 or more")
    if not LEAST_RECALL <= recall <= MOST_RECALL:
        raise PlanError(
            f"cannot plan for a recall of {recall:g}: give {LEAST_RECALL:g} to {MOST_RECALL:g}"
        )
    if keep_layout:
        profile = profile.at_any_quality()
    request = Request(
        bundle,
        profile,
        documents,
        text_bytes_per_document,
        recall,
        index,
        keep_layout,
        companions,
        text_tokens,
    )
    known = candidates(request)
    fitting = [one for one in known if not one.overruns(profile.budgets)]
    chosen = min(fitting, key=lambda one: _order(one, request)) if fitting else None
    return Survey(request, known, chosen)


def plan(
    bundle: BundleFacts | HasManifest,
    profile: DeviceProfile,
    documents: int | None = None,
    *,
    text_bytes_per_document: int = DEFAULT_TEXT_BYTES,
    recall: float = TABLE_RECALL,
    index: IndexFacts | None = None,
    keep_layout: bool = False,
    companions: Companions = NO_COMPANIONS,
    text_tokens: int | None = None,
) -> Plan:
    """Choose variant and slices for a device, and where the scan codes live.

    Among all choices that keep every budget: the most quality (in steps of
    `candidates.QUALITY_STEP`), then the longest texts read, then the fastest encoder, then codes in
    memory, then the least share of the memory and latency budgets, then the smallest index file.
    The same input always gives the same plan.

    Args:
        bundle: an open bundle, or what the planner needs of one.
        profile: the device and its budgets, from `load_profile`.
        documents: how many documents the index will hold, 0 or more; default as many as `index`.
        text_bytes_per_document: mean size of a document's text, for the size of the file.
        recall: the share of the stored slice's top 10 that the shortlist is to hold, 0.5 to 0.999.
        index: an index that exists, from `IndexFacts.of(index.stats())`. For its layout the
            lists that it measured on its own vectors hold, instead of the bundle's table, which was
            measured on other texts.
        keep_layout: leave that index as it is, whatever its slices keep, and choose only what can
            be chosen beside it.
        companions: what the index will keep beside documents and vectors, for the size of the file.
            An index that exists says itself what a document takes.
        text_tokens: the longest text that will come, special tokens counted; texts are then never
            cut shorter, unless the variant does. Default: nobody knows.

    Raises:
        PlanError: nothing fits (the message says by how much and what would have to give), or an
            argument is out of range.
    """
    return settled(
        survey(
            bundle,
            profile,
            documents,
            text_bytes_per_document=text_bytes_per_document,
            recall=recall,
            index=index,
            keep_layout=keep_layout,
            companions=companions,
            text_tokens=text_tokens,
        )
    )


def settled(found: Survey) -> Plan:
    """The plan that a survey comes to.

    Raises:
        PlanError: nothing fits.
    """
    request, known, chosen = found.request, found.known, found.chosen
    if chosen is None:
        raise refusal(request, known)
    missed = best_missed(request, known, chosen)
    because = reasons(request, known, chosen, missed)
    chosen = with_rows_held(request, chosen)
    cost = chosen.cost
    adding = chosen.layout, request.documents, request.text_bytes, chosen.home
    before = cost.encoder_bytes + cost.row_cache_bytes
    batch = batch_for(*adding, room=request.profile.budgets.memory_bytes - before)
    peak = before + adding_memory(*adding, batch=batch)
    return Plan(
        device=request.profile.name,
        documents=request.documents,
        variant=chosen.variant.name,
        threads=THREADS,
        max_tokens=chosen.max_tokens,
        layout=chosen.layout,
        scan_home=chosen.home,
        scan_budget_bytes=_scan_budget(request, chosen),
        row_cache_bytes=chosen.cost.row_cache_bytes,
        shortlists=chosen.shortlists,
        add_batch=batch,
        memory_bytes=cost.memory_bytes,
        adding_bytes=peak,
        encoder_bytes=cost.encoder_bytes,
        index_file_bytes=chosen.cost.file_bytes,
        query_latency_ms=1e3 * chosen.cost.latency,
        embedding_latency_ms=1e3 * chosen.cost.embedding,
        recall=chosen.recall,
        quality_kept=chosen.quality_kept,
        ndcg_at_10=chosen.quality_kept * request.bundle.quality.full_ndcg_at_10,
        bound_by=None if missed is None else worst_budget(request, missed),
        budget_shares=chosen.budget_shares(request.profile.budgets),
        because=(
            *because,
            row_cache_reason(request, chosen),
            adding_reason(request, batch, peak),
        ),
    )


def _scan_budget(request: Request, chosen: Candidate) -> int:
    """Bytes that the scan codes may take in memory, and then the stored rows: what the budget
    leaves after all else."""
    # From the file even one row more or less is read, so nothing is left for codes in memory.
    if chosen.home == "disk":
        return 0
    left = request.profile.budgets.memory_bytes - chosen.cost.peak_bytes
    codes = code_memory(chosen.layout, request.documents)
    return codes + chosen.cost.row_cache_bytes + left


def _order(one: Candidate, request: Request) -> tuple[float | str, ...]:
    layout = one.layout
    return (
        *one.merit(request.text_tokens),
        one.price(request.profile.budgets),
        one.cost.file_bytes,
        # From here on only so that equal choices always fall the same way.
        one.variant.name,
        layout.stored.dim,
        layout.stored.bits,
        layout.scan.dim,
        layout.scan.bits,
        0 if layout.refine is None else layout.refine.bits,
    )
