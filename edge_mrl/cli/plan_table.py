"""Plans as a table for people; the demo prints the same one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from edge_mrl.cli.output import format_table, wrapped
from edge_mrl.errors import PlanError
from edge_mrl.planning.companion_cost import NO_COMPANIONS, Companions
from edge_mrl.planning.facts import BundleFacts, IndexFacts
from edge_mrl.planning.file_cost import DEFAULT_TEXT_BYTES
from edge_mrl.planning.plan import Plan
from edge_mrl.planning.planner import plan
from edge_mrl.planning.words import mebibytes, milliseconds, number, percent
from edge_mrl.profiles.profile import DeviceProfile

PLAN_HEADER = (
    "device",
    "documents",
    "variant",
    "stored",
    "scan",
    "refine",
    "memory",
    "adding",
    "file",
    "embed",
    "search",
    "kept",
    "bound by",
)
PLAN_NOTE = (
    "Predicted from each device's figures, not measured: "
    "`edge-mrl profiles NAME` has their sources."
)
PLAN_LEFT = (0, 2, 12)
"""Columns set flush left."""
_KEYS = 2
"""Device and documents say what a row is about."""
_FEW = 3
"""So many plans give their first reason without being asked."""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One device and number of documents: the plan, or the reason why there is none."""

    device: str
    documents: int
    plan: Plan | None
    refusal: str | None

    def cells(self) -> tuple[str, ...]:
        """The row under `PLAN_HEADER`."""
        start = (self.device, number(self.documents))
        if self.plan is None:
            return (*start, "does not fit", *["-"] * (len(PLAN_HEADER) - 3))
        made = self.plan
        return (
            *start,
            made.variant,
            str(made.layout.stored),
            str(made.layout.scan),
            "-" if made.layout.refine is None else str(made.layout.refine),
            mebibytes(made.memory_bytes),
            mebibytes(made.adding_bytes),
            mebibytes(made.index_file_bytes),
            milliseconds(made.embedding_latency_ms),
            milliseconds(made.query_latency_ms),
            percent(made.quality_kept),
            _bound_by(made),
        )

    def reasons(self, *, every: bool) -> tuple[str, ...]:
        """Why: the first reason, or all of them."""
        if self.plan is None:
            return (self.refusal or "",)
        return self.plan.because if every else self.plan.because[:1]

    def to_json(self) -> dict[str, object]:
        """The row as plain values for a JSON document; ``fits`` tells the two cases apart."""
        if self.plan is not None:
            return self.plan.to_json()
        return {
            "device": self.device,
            "documents": self.documents,
            "fits": False,
            "error": self.refusal,
        }


def plan_rows(
    facts: BundleFacts,
    profiles: Iterable[DeviceProfile],
    documents: Sequence[int],
    *,
    text_bytes_per_document: int = DEFAULT_TEXT_BYTES,
    index: IndexFacts | None = None,
    companions: Companions = NO_COMPANIONS,
    text_tokens: int | None = None,
) -> tuple[PlanRow, ...]:
    """Plan for each profile and number of documents; what does not fit is a row with its reason."""
    make = partial(
        plan,
        facts,
        text_bytes_per_document=text_bytes_per_document,
        index=index,
        companions=companions,
        text_tokens=text_tokens,
    )
    return tuple(_row(make, profile, count) for profile in profiles for count in documents)


def render_plans(rows: Sequence[PlanRow], *, every_reason: bool = False) -> str:
    """The table, and under it why each row is as it is.

    Args:
        rows: from `plan_rows`, at least one.
        every_reason: list all reasons of each plan. Otherwise a few plans give their first, and
            many only why one of them does not fit.
    """
    cells = [row.cells() for row in rows]
    lines = [format_table(PLAN_HEADER, cells, left=PLAN_LEFT, keys=_KEYS)]
    lines += ["", PLAN_NOTE]
    told = rows if every_reason or len(rows) <= _FEW else [row for row in rows if row.plan is None]
    if told:
        lines += ["", "why"]
    for row in told:
        lines.append(f"  {row.device}, {number(row.documents)}:")
        for reason in row.reasons(every=every_reason):
            lines += wrapped(f"- {reason}", "    ")
    return "\n".join(lines)


def _bound_by(made: Plan) -> str:
    """The budget that keeps something better out; where none does, the one that is used most."""
    if made.bound_by is not None:
        return made.bound_by
    most = max(made.budget_shares, key=lambda budget: made.budget_shares[budget])
    return f"nothing ({100 * made.budget_shares[most]:.0f} % of {most})"


def _row(
    make: Callable[[DeviceProfile, int], Plan], profile: DeviceProfile, documents: int
) -> PlanRow:
    try:
        return PlanRow(profile.name, documents, make(profile, documents), None)
    except PlanError as error:
        return PlanRow(profile.name, documents, None, str(error))
