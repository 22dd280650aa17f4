"""What to say when nothing fits: by how much, and what would have to give. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edge_mrl.bundle.engines import ENGINES
from edge_mrl.errors import PlanError
from edge_mrl.planning.candidates import Candidate, Request, evaluate
from edge_mrl.planning.overruns import closest, excess
from edge_mrl.planning.words import number


def refusal(request: Request, known: Sequence[Candidate]) -> PlanError:
    """The error for a request that none of `known` fits."""
    name, bundle = request.profile.name, request.bundle
    if not bundle.quality.slices:
        return PlanError(
            f"nothing can be planned for {bundle.model}: its bundle has no quality table; "
            "export it with one"
        )
    if not known:
        return PlanError(_why_no_candidate(request))
    nearest = closest(request, known)
    what = f"{nearest.variant.name} with {nearest.layout}, breaks a budget"
    parts = [
        f"{number(request.documents)} documents do not fit {name}: "
        f"even the closest choice, {what} ({excess(request, nearest)})"
    ]
    ways = []
    fewer = _documents_that_fit(request, known)
    if fewer:
        ways.append(f"{number(fewer)} documents would fit")
    ways.extend(_raised(request, nearest))
    # A smaller model helps only where the model itself is what does not fit.
    if not fewer and "quality" not in nearest.overruns(request.profile.budgets):
        ways.append("or export a smaller variant")
    parts.append("; ".join(ways))
    return PlanError(": ".join(parts))


def _why_no_candidate(request: Request) -> str:
    bundle, profile = request.bundle, request.profile
    if not any(profile.facts.runs(one.engines) for one in bundle.variants):
        formats = ", ".join(sorted({one.format for one in bundle.variants}))
        needed = dict.fromkeys(engine for one in bundle.variants for engine in one.engines)
        able = [name for name, engines in ENGINES.items() if profile.facts.runs(engines)]
        # An old engine runs a format at this precision, if not at every one; a table is what static
        # models alone become.
        ways = [
            "export a static model, whose table numpy runs"
            if name == "table"
            else f"export it with --formats {name} --precision int8-portable"
            for name in reversed(able)
        ]
        return (
            f"{bundle.model} cannot run on {profile.name}: the bundle has {formats}, which needs "
            f"{' or '.join(needed)}, and the device has {', '.join(profile.facts.engines)}; "
            f"{', or '.join(ways)}"
        )
    return (
        f"nothing can be planned for {bundle.model}: its quality table lacks a stored slice "
        "(8, 16 or 32 bits) with a scan slice (1, 2, 4 or 8 bits) of a size that its variants "
        "give; export it again"
    )


def _documents_that_fit(request: Request, known: Sequence[Candidate]) -> int:
    """The most documents for which a choice keeps every budget; 0 where not even one fits."""

    def fits(documents: int) -> bool:
        at = request.at(documents)
        found = (evaluate(at, one.variant, one.max_tokens, one.layout, one.home) for one in known)
        return any(one is not None and not one.overruns(at.profile.budgets) for one in found)

    # Each cost grows with the documents and the quality never does, so halving the interval finds
    # the edge.
    low, high = 0, request.documents
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    # Two digits that are surely reached say more than seven that depend on estimates.
    unit: int = 10 ** max(0, len(str(low)) - 2)
    return low // unit * unit


def _raised(request: Request, nearest: Candidate) -> list[str]:
    """For each broken budget, what it would have to be."""
    over = nearest.overruns(request.profile.budgets)
    needs = {
        "memory": f"budgets.memory {math.ceil(nearest.cost.peak_bytes / 2**20)} MiB",
        "storage": f"budgets.storage {math.ceil(nearest.cost.storage_bytes / 2**20)} MiB",
        "embedding": f"budgets.embedding_latency {math.ceil(1e3 * nearest.cost.embedding)} ms",
        "latency": f"budgets.query_latency {math.ceil(1e3 * nearest.cost.latency)} ms",
        "quality": f"budgets.quality_kept {math.floor(1000 * nearest.quality_kept) / 1000:g}",
    }
    broken = [needs[budget] for budget in needs if budget in over]
    return [f"otherwise it takes {' and '.join(broken)}"] if broken else []
