"""What an index asks of whoever plans for its device; the planner itself knows bundles, the index
does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from edge_mrl.errors import InputError

if TYPE_CHECKING:
    from edge_mrl.index.format.layout import IndexLayout
    from edge_mrl.index.stats import IndexStats


class RunningPlan(Protocol):
    """A plan as far as an index obeys it. `edge_mrl.Plan` is one."""

    @property
    def documents(self) -> int:
        """For how many documents it holds."""

    @property
    def scan_budget_bytes(self) -> int:
        """What the scan codes may take in memory."""

    @property
    def row_cache_bytes(self) -> int:
        """What stored rows may take that are held in memory."""

    @property
    def add_batch(self) -> int:
        """Documents that are added in one transaction."""

    @property
    def because(self) -> tuple[str, ...]:
        """Why, in words."""


class Follower(Protocol):
    """Plans for one index. `edge_mrl.planning.follow.PlanFollower` is one."""

    on_change: Callable[[Any], None] | None

    @property
    def plan(self) -> Any:
        """The plan that holds."""

    @property
    def advice(self) -> str | None:
        """What would be better than the index as it is."""

    def new_layout(self) -> IndexLayout:
        """The slices of a new index."""

    def start(self, stats: IndexStats, /) -> RunningPlan:
        """The plan for an index as it is."""

    def is_outgrown(self, documents: int, /) -> bool:
        """Whether the plan was made for fewer documents."""

    def grow(self, stats: IndexStats, /) -> object:
        """Make the plan anew."""


@runtime_checkable
class PlanningEncoder(Protocol):
    """An encoder that can plan. `edge_mrl.Encoder` is one."""

    def follower(self, profile: Any = None, /) -> Follower | None:
        """Plans for this profile, or for the one that the encoder was loaded with, if any."""


def follower_for(encoder: object, profile: object) -> Follower | None:
    """Who plans for an index, if anybody.

    Args:
        encoder: the index's encoder, or None.
        profile: as in `Index.open`.

    Raises:
        InputError: there is a profile and nobody to plan.
    """
    if isinstance(encoder, PlanningEncoder):
        return encoder.follower(profile)
    if profile is not None:
        raise InputError(
            "a profile needs an encoder loaded from a bundle, which says what slices keep: "
            "give one, or give memory_budget instead"
        )
    return None
