"""What each stage of a query did. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

TOP = 10


@dataclass(slots=True)
class Meter:
    """Counts what one stage looks at.

    Attributes:
        documents: documents that were scored; of a lexical or sparse stage, places in lists.
        bytes_compared: bytes of their codes, vectors or list entries at the stage's slice.
        bytes_read: bytes that were read from the file for it, rather than found in memory; of the
            index's own stages, what a search without `explain` reads, codes of both with the scan.
    """

    documents: int = 0
    bytes_compared: int = 0
    bytes_read: int = 0

    def count(self, documents: int, nbytes: int, read: int = 0) -> None:
        """Add to the counts."""
        self.documents += documents
        self.bytes_compared += nbytes
        self.bytes_read += read


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage, as it ran.

    Attributes:
        name: what it did, e.g. ``"scan 64x4"``, ``"rescore 256x8"``, ``"lexical"``, ``"rrf"``.
        depth: 0 for the last stage, 1 for what it looked at, and so on.
        documents: see `Meter`.
        bytes_compared: see `Meter`.
        bytes_read: see `Meter`.
        milliseconds: wall time of this stage alone.
        kept: how many documents it handed on.
        top: ids of the best ten.
        entered: ids among them that were not among the best ten of the stage (or first branch)
            below; None for a leaf.
        moved: how many of the ten places hold another document than there; None for a leaf.
    """

    name: str
    depth: int
    documents: int
    bytes_compared: int
    bytes_read: int
    milliseconds: float
    kept: int
    top: tuple[int | str, ...]
    entered: tuple[int | str, ...] | None
    moved: int | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The stages of a query, each after those it looked at."""

    stages: tuple[Stage, ...] = field(default=())

    @property
    def bytes_compared(self) -> int:
        """Of all stages."""
        return sum(stage.bytes_compared for stage in self.stages)

    @property
    def bytes_read(self) -> int:
        """Of all stages."""
        return sum(stage.bytes_read for stage in self.stages)

    @property
    def milliseconds(self) -> float:
        """Of all stages; texts are embedded before them."""
        return sum(stage.milliseconds for stage in self.stages)

    def as_json(self) -> list[dict[str, object]]:
        """Plain values for a JSON document, one object a stage."""
        return [asdict(stage) for stage in self.stages]
