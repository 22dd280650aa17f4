"""The plan of one index, made anew as it grows. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from edge_mrl.errors import PlanError
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.planning.candidates import QUALITY_STEP
from edge_mrl.planning.companion_cost import NO_COMPANIONS, Companions
from edge_mrl.planning.facts import BundleFacts, IndexFacts, StatsOfIndex
from edge_mrl.planning.file_cost import DEFAULT_TEXT_BYTES
from edge_mrl.planning.plan import Plan
from edge_mrl.planning.planner import plan
from edge_mrl.planning.words import number
from edge_mrl.profiles.profile import DeviceProfile

_STEPS = (10, 15, 20, 30, 50, 70)
_LEAST = 1000


@dataclass(frozen=True, slots=True)
class PlanChange:
    """What is different since an index has grown.

    Attributes:
        documents: for how many documents the new plan is made.
        before: what held so far.
        after: what holds now; None where the index no longer fits the device's budgets.
        advice: what would be better than to go on with this index; None where nothing is.
        sentence: all of it in words.
    """

    documents: int
    before: Plan
    after: Plan | None
    advice: str | None
    sentence: str

    def __str__(self) -> str:
        return self.sentence


OnPlanChange = Callable[[PlanChange], None]


def horizon(documents: int) -> int:
    """The number of documents that a plan looks ahead to: 1, 1.5, 2, 3, 5 or 7 times a power of
    ten, at least 1000, so that a growing index is planned anew a few times in each decade."""
    unit = _LEAST // _STEPS[0]
    while _STEPS[-1] * unit < documents:
        unit *= 10
    return next(step * unit for step in _STEPS if step * unit >= documents)


class PlanFollower:
    """Makes the plan of one index for one encoder, and again when the index has outgrown it.

    Args:
        bundle: what the bundle offers.
        profile: the device.
        variant: the name of the variant that runs; it is not changed while it does.
        dim: width of its vectors.
        documents: how many the index is expected to hold.
        max_tokens: where it cuts texts, if that is known; it is not changed either.
        text_bytes: mean size of a document's text and metadata, until the index's file says it.
        companions: what else the index will keep of each, until then.
    """

    def __init__(
        self,
        bundle: BundleFacts,
        profile: DeviceProfile,
        variant: str,
        dim: int,
        documents: int,
        max_tokens: int | None = None,
        text_bytes: int = DEFAULT_TEXT_BYTES,
        companions: Companions = NO_COMPANIONS,
    ) -> None:
        running = [one for one in bundle.variants if one.name == variant]
        narrowed = [
            replace(one, dims=_up_to(one.dims, dim), max_tokens=max_tokens or one.max_tokens)
            for one in running
        ]
        self._bundle = replace(bundle, variants=tuple(narrowed))
        # Narrower vectors were asked for: what they keep is no reason to refuse them.
        narrow = dim < max(bundle.dims)
        self._profile = profile.at_any_quality() if narrow else profile
        self._documents = documents
        self._text_bytes, self._companions = text_bytes, companions
        # A shorter length would be another encoder's.
        self._text_tokens = next((one.max_tokens for one in narrowed), None)
        self._plan: Plan | None = None
        self._refused: str | None = None
        self._advice: str | None = None
        self.on_change: OnPlanChange | None = None

    @property
    def plan(self) -> Plan | None:
        """The plan that holds; None before `start`."""
        return self._plan

    @property
    def advice(self) -> str | None:
        """What would be better than the index as it is; None where nothing is."""
        return self._refused or self._advice

    def new_layout(self) -> IndexLayout:
        """The slices of a new index, for as many documents as `start` will plan for.

        Raises:
            PlanError: nothing fits.
        """
        try:
            return self._make(horizon(self._documents)).layout
        except PlanError:
            return self._make(self._documents).layout

    def start(self, stats: StatsOfIndex) -> Plan:
        """The plan for an index as it is.

        Raises:
            PlanError: it does not fit the device's budgets.
        """
        facts = IndexFacts.of(stats)
        made = self._kept(facts, max(stats.documents, self._documents))
        self._plan, self._advice = made, self._better(facts, made)
        return made

    def is_outgrown(self, documents: int) -> bool:
        """Whether the plan was made for fewer documents."""
        return self._plan is not None and documents > self._plan.documents and not self._refused

    def grow(self, stats: StatsOfIndex) -> PlanChange | None:
        """Make the plan anew, and say whether anything is different. `start` comes first.

        `on_change` is called with a change before this returns.
        """
        before = self._plan
        if before is None:
            return None
        facts, documents = IndexFacts.of(stats), stats.documents
        try:
            made = self._kept(facts, documents)
        except PlanError as error:
            self._refused = str(error)
            return self._tell(PlanChange(documents, before, None, str(error), str(error)))
        advice = self._better(facts, made)
        same = made.scan_home == before.scan_home and (advice is None or self._advice is not None)
        self._plan, self._advice, self._refused = made, advice, None
        if same:
            return None
        parts = []
        if made.scan_home != before.scan_home:
            place = "in memory" if made.scan_home == "ram" else "in the file"
            parts.append(f"the scan codes now live {place}")
        if advice is not None:
            parts.append(advice)
        sentence = (
            f"for {number(made.documents)} documents the plan for {made.device} changes: "
            f"{'; '.join(parts)}"
        )
        return self._tell(PlanChange(made.documents, before, made, advice, sentence))

    def _tell(self, change: PlanChange) -> PlanChange:
        if self.on_change is not None:
            self.on_change(change)
        return change

    def _kept(self, facts: IndexFacts, documents: int) -> Plan:
        """The plan for so many documents and more to come, or for those alone if more do not
        fit."""
        try:
            ahead = horizon(documents)
            return self._make(ahead, facts, keep_layout=True)
        except PlanError:
            return self._make(facts.documents, facts, keep_layout=True)

    def _make(
        self, documents: int, facts: IndexFacts | None = None, *, keep_layout: bool = False
    ) -> Plan:
        return plan(
            self._bundle,
            self._profile,
            documents,
            text_bytes_per_document=self._text_bytes,
            index=facts,
            keep_layout=keep_layout,
            companions=self._companions,
            text_tokens=self._text_tokens,
        )

    def _better(self, facts: IndexFacts, running: Plan) -> str | None:
        """What another layout would bring, where it is worth building anew."""
        best = self._make(running.documents, facts)
        gain = best.quality_kept - running.quality_kept
        faster = running.query_latency_ms > 2 * best.query_latency_ms
        if best.layout == running.layout or not (gain > QUALITY_STEP or faster):
            return None
        return (
            f"{best.layout} would be better than {running.layout} "
            f"({best.quality_kept:.1%} instead of {running.quality_kept:.1%} kept, "
            f"{best.query_latency_ms:.1f} instead of {running.query_latency_ms:.1f} ms a search): "
            "`edge-mrl reslice` or `edge-mrl build` makes such an index"
        )


def _up_to(dims: tuple[int, ...], dim: int) -> tuple[int, ...]:
    return tuple(one for one in dims if one <= dim)
