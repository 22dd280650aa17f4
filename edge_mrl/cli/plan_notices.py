"""What commands say of the plan that an index obeys, and of its changes."""

from __future__ import annotations

import sys

from edge_mrl.cli.output import print_text
from edge_mrl.planning import Plan, PlanChange
from edge_mrl.planning.words import mebibytes, milliseconds, number


def describe_plan(made: Plan, advice: str | None) -> str:
    """The plan that an index obeys, in a line or two."""
    place = "in memory" if made.scan_home == "ram" else "read from the file by each search"
    line = (
        f"plan for {made.device}, up to {number(made.documents)} documents: {made.variant}, scan "
        f"codes {place}, {mebibytes(made.memory_bytes)} in all, "
        f"{milliseconds(made.query_latency_ms)} a search"
    )
    return line if advice is None else f"{line}\n{advice}"


class PlanNotices:
    """Collects the changes of a plan, and says each on standard error.

    Attributes:
        changes: what changed, in order.
    """

    def __init__(self) -> None:
        self.changes: list[PlanChange] = []

    def __call__(self, change: PlanChange) -> None:
        """Give this object to `Index.open` as `on_plan_change`."""
        self.changes.append(change)
        print_text(f"\nedge-mrl: {change}", file=sys.stderr)

    def to_json(self) -> list[dict[str, object]]:
        """The changes as plain values for a JSON document."""
        return [
            {
                "documents": change.documents,
                "fits": change.after is not None,
                "advice": change.advice,
                "sentence": change.sentence,
            }
            for change in self.changes
        ]
