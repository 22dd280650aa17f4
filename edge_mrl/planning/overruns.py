"""Which budget a choice breaks and by how much, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.planning.candidates import Candidate, Request
from edge_mrl.planning.encoder_cost import QUERY_TOKENS
from edge_mrl.planning.words import mebibytes, milliseconds, number, percent


def excess(request: Request, one: Candidate) -> str:
    """Which budget a candidate breaks most, and by how much.

    Returns:
        E.g. ``"memory: 256x2 would need 61.0 MiB of the 48.0 MiB left after the encoder"``.
    """
    budgets = request.profile.budgets
    worst = worst_budget(request, one)
    stored, scan = one.layout.stored, codes(one.layout)
    if worst == "memory":
        left = budgets.memory_bytes - one.cost.encoder_bytes
        if left < 0:
            return (
                f"memory: {one.variant.name} needs {mebibytes(one.cost.encoder_bytes)} "
                f"before any document, of {mebibytes(budgets.memory_bytes)}"
            )
        adding = one.cost.ingest_bytes > one.cost.index_bytes
        return (
            f"memory: {'adding to ' if adding else ''}{scan} {home(one)} would need "
            f"{mebibytes(max(one.cost.index_bytes, one.cost.ingest_bytes))} "
            f"of the {mebibytes(left)} left after the encoder"
        )
    if worst == "storage":
        left = max(0, budgets.storage_bytes - one.cost.bundle_bytes)
        return (
            f"storage: {stored} would need {mebibytes(one.cost.file_bytes)} "
            f"of the {mebibytes(left)} left after the bundle"
        )
    if worst == "embedding":
        return (
            f"embedding: {one.variant.name} would take {milliseconds(1e3 * one.cost.embedding)} "
            f"for {QUERY_TOKENS} tokens, of {milliseconds(1e3 * budgets.embedding_latency)}"
        )
    if worst == "latency":
        return (
            f"latency: {scan} {home(one)} with {number(one.shortlists[-1])} rows re-read "
            "would take "
            f"{milliseconds(1e3 * one.cost.latency)} of {milliseconds(1e3 * budgets.query_latency)}"
        )
    return (
        f"quality: {stored} would keep {percent(one.quality_kept)}, "
        f"less than the {percent(budgets.quality_kept)} asked for"
    )


def codes(layout: IndexLayout) -> str:
    """The resident slices in words: ``"256x1"``, ``"256x1 refined by 256x4"``."""
    return " refined by ".join(map(str, layout.resident))


def home(one: Candidate) -> str:
    """Where a candidate's scan codes live."""
    return "in memory" if one.home == "ram" else "read from the file"


def closest(request: Request, choices: Sequence[Candidate]) -> Candidate:
    """The candidate that misses the budgets by the smallest factor, always the same one."""
    budgets = request.profile.budgets
    return min(
        choices,
        key=lambda one: (
            max(one.overruns(budgets).values(), default=0.0),
            one.price(budgets),
            one.cost.file_bytes,
            one.variant.name,
            str(one.layout),
            one.home,
        ),
    )


def worst_budget(request: Request, one: Candidate) -> str:
    """The budget that a candidate exceeds by the largest factor."""
    over = one.overruns(request.profile.budgets)
    return max(over, key=lambda budget: over[budget])
