"""What the planner needs to know of a bundle, derived from its manifest alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from edge_mrl.bundle.manifest import Manifest, Precision, Quality, SliceQuality, VariantFormat
from edge_mrl.index.layout import IndexLayout
from edge_mrl.slices import Slice


@dataclass(frozen=True, slots=True)
class VariantFacts:
    """One variant: `model_bytes` are its own files, `tokenizer_bytes` is shared by all."""

    name: str
    format: VariantFormat
    precision: Precision
    dims: tuple[int, ...]
    model_bytes: int
    tokenizer_bytes: int
    pad_invariant: bool

    @property
    def disk_bytes(self) -> int:
        """Bytes that a device must store to run this variant."""
        return self.model_bytes + self.tokenizer_bytes


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """A bundle's variants and its quality table."""

    model: str
    dims: tuple[int, ...]
    variants: tuple[VariantFacts, ...]
    quality: Quality

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> BundleFacts:
        """Take what the planner needs from a manifest.

        Raises:
            BundleError: the manifest uses a file that it does not list.
        """
        tokenizer_bytes = manifest.file(manifest.tokenizer.path).size
        return cls(
            model=manifest.model.name,
            dims=manifest.embedding.matryoshka_dims,
            variants=tuple(
                VariantFacts(
                    name=variant.name,
                    format=variant.format,
                    precision=variant.precision,
                    dims=variant.dims,
                    model_bytes=sum(manifest.file(path).size for path in variant.files),
                    tokenizer_bytes=tokenizer_bytes,
                    pad_invariant=variant.pad_invariant,
                )
                for variant in manifest.variants
            ),
            quality=manifest.quality,
        )

    def quality_of(self, slice_: Slice) -> SliceQuality | None:
        """The row of the quality table, or None where this slice was not measured."""
        return next((row for row in self.quality.slices if row.slice == slice_), None)


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """What an open index tells the planner, from `IndexStats` once it has measured its shortlist.

    Attributes:
        documents: how many it holds.
        layout: its slices.
        shortlist: rows that hold 99 % of the top 10 among them, measured on its own vectors.
    """

    documents: int
    layout: IndexLayout
    shortlist: int
