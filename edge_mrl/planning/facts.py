"""What the planner needs to know of a bundle, derived from its manifest alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edge_mrl.bundle.engines import engines_for
from edge_mrl.bundle.manifest import Manifest, Precision, Quality, SliceQuality, VariantFormat
from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.slices import Slice


@dataclass(frozen=True, slots=True)
class VariantFacts:
    """One variant: `engines` can run it, `model_bytes` are its own files, `tokenizer_bytes` is
    shared by all, `max_tokens` is where a text is cut (None: never), `sequence_lengths` are what a
    text is padded to (none: nobody says)."""

    name: str
    format: VariantFormat
    precision: Precision
    engines: tuple[str, ...]
    dims: tuple[int, ...]
    model_bytes: int
    tokenizer_bytes: int
    pad_invariant: bool
    max_tokens: int | None
    sequence_lengths: tuple[int, ...] = ()

    @property
    def disk_bytes(self) -> int:
        """Bytes that a device must store to run this variant."""
        return self.model_bytes + self.tokenizer_bytes


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """A bundle's variants and its quality table; `identity` names its vector space,
    `multiplied_weights` is as in `ModelInfo`."""

    model: str
    identity: str
    dims: tuple[int, ...]
    variants: tuple[VariantFacts, ...]
    quality: Quality
    multiplied_weights: int | None = None

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> BundleFacts:
        """Take what the planner needs from a manifest.

        Raises:
            BundleError: the manifest uses a file that it does not list.
        """
        tokenizer_bytes = manifest.file(manifest.tokenizer.path).size
        return cls(
            model=manifest.model.name,
            identity=manifest.model.identity,
            dims=manifest.embedding.matryoshka_dims,
            variants=tuple(
                VariantFacts(
                    name=variant.name,
                    format=variant.format,
                    precision=variant.precision,
                    engines=engines_for(variant),
                    dims=variant.dims,
                    model_bytes=sum(manifest.file(path).size for path in variant.files),
                    tokenizer_bytes=tokenizer_bytes,
                    pad_invariant=variant.pad_invariant,
                    max_tokens=manifest.max_tokens(variant),
                    sequence_lengths=variant.sequence_lengths,
                )
                for variant in manifest.variants
            ),
            quality=manifest.quality,
            multiplied_weights=manifest.model.multiplied_weights,
        )

    def quality_of(self, slice_: Slice) -> SliceQuality | None:
        """The row of the quality table, or None where this slice was not measured."""
        return next((row for row in self.quality.slices if row.slice == slice_), None)


class StatsOfIndex(Protocol):
    """What is read of an index's figures."""

    @property
    def documents(self) -> int:
        """How many documents it holds."""

    @property
    def layout(self) -> IndexLayout:
        """Its slices."""

    @property
    def used_bytes(self) -> int:
        """What of its file is in use."""

    @property
    def shortlists(self) -> Sequence[int]:
        """How long the lists of a search for 10 are; the last one's rows are re-read."""

    @property
    def expected_recall(self) -> float | None:
        """The share of the exact top 10 that such a search finds."""

    @property
    def measurement(self) -> object | None:
        """None where that number was not measured."""


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """What an index that exists tells the planner.

    Attributes:
        documents: how many it holds, or held when its shortlist was measured.
        layout: its slices.
        shortlists: candidates that each stage must hand on to hold 99 % of the top 10, measured on
            its own vectors, one list for each resident slice of the layout; None where nobody has
            measured, as on a small index.
        recall: the share that was found with such lists; None where nobody has measured.
        file_bytes: what of its file is in use; None where nobody says.
    """

    documents: int
    layout: IndexLayout
    shortlists: tuple[int, ...] | None
    recall: float | None = None
    file_bytes: int | None = None

    @classmethod
    def of(cls, stats: StatsOfIndex) -> IndexFacts:
        """What `Index.stats` tells the planner."""
        known = stats.measurement is not None
        lists = tuple(stats.shortlists) if known else None
        return cls(
            stats.documents,
            stats.layout,
            lists,
            stats.expected_recall,
            stats.used_bytes or None,
        )

    @property
    def measured(self) -> bool:
        """Whether `shortlists` are to be relied on."""
        lists = self.shortlists
        return lists is not None and len(lists) == len(self.layout.resident) and self.documents > 0
