"""Made-up manifests for the planner's tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_mrl.bundle.manifest import (
    EmbeddingInfo,
    FileEntry,
    GateResult,
    Manifest,
    ModelInfo,
    Precision,
    Quality,
    SliceQuality,
    TokenizerInfo,
    Variant,
    VariantFormat,
)
from edge_mrl.planning import BundleFacts
from edge_mrl.slices import Slice

VariantRow = tuple[str, VariantFormat, Precision, tuple[int, ...], int]
"""Name, format, precision, dims, bytes of its file."""

# kept by dimension, and shortlist by (dimension, bits): wordllama on 25 339 Debian package
# descriptions.
STATIC_KEPT = {64: 0.75, 128: 0.90, 256: 1.0}
STATIC_SHORTLIST = {
    (64, 8): 792, (64, 4): 835, (64, 2): 1516, (64, 1): 5197,
    (128, 8): 114, (128, 4): 131, (128, 2): 258, (128, 1): 1151,
    (256, 8): 10, (256, 4): 16, (256, 2): 44, (256, 1): 243,
}  # fmt: skip
# The same for MiniLM with the Matryoshka adapter.
MINILM_KEPT = {32: 0.70, 64: 0.83, 128: 0.93, 256: 0.985, 384: 1.0}
MINILM_SHORTLIST = {
    (32, 8): 1460, (32, 4): 1580, (32, 2): 2605, (32, 1): 7519,
    (64, 8): 290, (64, 4): 301, (64, 2): 631, (64, 1): 2728,
    (128, 8): 40, (128, 4): 45, (128, 2): 97, (128, 1): 709,
    (256, 8): 14, (256, 4): 15, (256, 2): 32, (256, 1): 165,
    (384, 8): 10, (384, 4): 13, (384, 2): 26, (384, 1): 99,
}  # fmt: skip

STATIC_VARIANTS: tuple[VariantRow, ...] = (
    ("table-int8-256", "table", "int8-portable", (64, 128, 256), 8_320_000),
    ("table-int8-128", "table", "int8-portable", (64, 128), 4_224_000),
    ("table-int8-64", "table", "int8-portable", (64,), 2_176_000),
    ("onnx-int8", "onnx", "int8-portable", (64, 128, 256), 8_330_000),
)
MINILM_VARIANTS: tuple[VariantRow, ...] = (
    ("onnx-fp32", "onnx", "fp32", (32, 64, 128, 256, 384), 90_400_000),
    ("onnx-int8-portable", "onnx", "int8-portable", (32, 64, 128, 256, 384), 23_600_000),
    ("onnx-int8-fast", "onnx", "int8-fast", (32, 64, 128, 256, 384), 23_000_000),
)


def manifest(
    variants: Sequence[VariantRow],
    kept: Mapping[int, float],
    shortlist: Mapping[tuple[int, int], int],
    *,
    name: str = "made-up",
    tokenizer_bytes: int = 1_842_796,
    documents: int = 25_339,
    growth: float = 0.35,
) -> Manifest:
    """A manifest; 8 bits keep a thousandth less than 16 and 32."""
    dims = tuple(sorted(kept))
    rows = [
        SliceQuality(
            Slice(dim, bits), 0.4 * kept[dim], kept[dim] * (0.999 if bits == 8 else 1), rows
        )
        for (dim, bits), rows in shortlist.items()
    ]
    rows += [
        SliceQuality(Slice(dim, bits), 0.4 * kept[dim], kept[dim], shortlist[dim, 8])
        for dim in dims
        for bits in (16, 32)
    ]
    files = [
        FileEntry("tokenizer.json", "0" * 64, tokenizer_bytes),
        FileEntry("golden.json", "0" * 64, 1000),
    ]
    files += [FileEntry(f"{row[0]}.bin", "0" * 64, row[4]) for row in variants]
    return Manifest(
        model=ModelInfo(name, "made up", "nowhere", "MIT", "0" * 64),
        embedding=EmbeddingInfo(max(dims), dims, "cosine", {}, None),
        tokenizer=TokenizerInfo("tokenizer.json", True, 256, 0),
        variants=tuple(
            Variant(
                row[0],
                row[1],
                row[2],
                row[3],
                (f"{row[0]}.bin",),
                True,
                {},
                GateResult(1.0, 1.0, 0.99),
            )
            for row in variants
        ),
        quality=Quality("made up", 300, documents, 0.4, growth, tuple(rows)),
        golden="golden.json",
        files=tuple(files),
        tools={},
    )


def static_manifest() -> Manifest:
    """A static table of 256 dimensions."""
    return manifest(STATIC_VARIANTS, STATIC_KEPT, STATIC_SHORTLIST, name="static-256")


def minilm_manifest() -> Manifest:
    """A transformer of 384 dimensions."""
    return manifest(
        MINILM_VARIANTS, MINILM_KEPT, MINILM_SHORTLIST, name="minilm-mrl", tokenizer_bytes=466_247
    )


STATIC = BundleFacts.from_manifest(static_manifest())
MINILM = BundleFacts.from_manifest(minilm_manifest())
