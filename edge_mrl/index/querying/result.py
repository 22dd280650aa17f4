"""What a query of stages and branches found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_mrl.index.querying.hit import Hit

if TYPE_CHECKING:
    from edge_mrl.retrieval.explain import Explanation
    from edge_mrl.retrieval.grouping import Group


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What `Index.query` found.

    Attributes:
        hits: best first; of a grouped query, those of the groups one after another.
        groups: where `group_by` was given, best first.
        explanation: where `explain` was given.
    """

    hits: list[Hit]
    groups: list[Group[Hit]] | None = None
    explanation: Explanation | None = None

    def as_json(self) -> dict[str, object]:
        """Plain values for a JSON document: hits, and groups and stages where there are any."""
        found: dict[str, object] = {"hits": [hit.as_json() for hit in self.hits]}
        if self.groups is not None:
            found["groups"] = [
                {"value": group.value, "hits": [hit.as_json() for hit in group.hits]}
                for group in self.groups
            ]
        if self.explanation is not None:
            found["stages"] = self.explanation.as_json()
        return found
