"""What the parts of a manifest must say of each other. Pure."""

from __future__ import annotations

from edge_mrl.bundle.manifest import Manifest, Variant
from edge_mrl.schema import Table


def check_relations(manifest: Manifest, root: Table) -> None:
    """Check what no single part of a manifest shows.

    Raises:
        BundleError: two parts contradict each other; names them.
    """
    _check_late_interaction(manifest, root)
    names = [variant.name for variant in manifest.variants]
    if not names or len(set(names)) != len(names):
        root.fail("there must be at least one variant, and no two of one name")
    for variant in manifest.variants:
        _check_variant(variant, manifest, root)
    _check_files(manifest, root)
    _check_quality(manifest, root)


def _check_late_interaction(manifest: Manifest, root: Table) -> None:
    late, longest = manifest.embedding.late_interaction, manifest.tokenizer.max_tokens
    needed = 0 if late is None else max(late.query_tokens, late.document_tokens)
    if longest is not None and needed > longest:
        root.fail("late_interaction reads texts of more tokens than the tokenizer's max_tokens")


def _check_variant(variant: Variant, manifest: Manifest, root: Table) -> None:
    embedding, lengths = manifest.embedding, variant.sequence_lengths
    if variant.format == "table" and not embedding.include_prompt:
        root.fail(
            f"include_prompt is false, but variant {variant.name!r} is a table, which pools all"
        )
    if not variant.dims or not set(variant.dims) <= set(embedding.matryoshka_dims):
        root.fail(f"variant {variant.name!r} gives sizes that are not among matryoshka_dims")
    limit = manifest.max_tokens(variant)
    if lengths and (limit is None or lengths[-1] < limit):
        root.fail(
            f"variant {variant.name!r} reads texts of more tokens than the longest of its "
            "sequence_lengths"
        )
    late = embedding.late_interaction
    filled = None if late is None else late.filled_tokens
    if lengths and filled is not None and lengths[-1] < filled:
        root.fail(
            f"variant {variant.name!r} has no room for queries, which late_interaction fills up "
            f"to {filled} tokens"
        )


def _check_files(manifest: Manifest, root: Table) -> None:
    listed = [entry.path for entry in manifest.files]
    if len(set(listed)) != len(listed):
        root.fail("a file is listed twice")
    used = {manifest.tokenizer.path, manifest.golden}
    for variant in manifest.variants:
        used.update(variant.files)
    missing = sorted(used - set(listed))
    if missing:
        root.fail(f"the file {missing[0]!r} is used but not listed under files")


def _check_quality(manifest: Manifest, root: Table) -> None:
    names = {variant.name for variant in manifest.variants}
    trained = manifest.embedding.matryoshka_dims
    for row in manifest.quality.slices:
        if row.slice.dim not in trained:
            root.fail(f"the quality table has {row.slice}, which is not a trained size")
    for one in manifest.quality.variants:
        if one.variant not in names or one.slice.dim not in trained:
            root.fail(
                f"the quality table has {one.variant} at {one.slice}, which is no variant of this "
                "bundle at a trained size"
            )
