"""What a deployment engineer copies, types and picks for one bundle. Pure."""

from __future__ import annotations

from edge_mrl.backends import BACKENDS
from edge_mrl.bundle.manifest import MANIFEST_NAME, Manifest, Precision, Variant
from edge_mrl.slices import Slice

FLOATS = 32
ENOUGH = 0.95
"""The share of the full vector's quality that the examples ask for."""

PHONE_PRECISIONS: tuple[Precision, ...] = ("int8-fast", "int8-portable", "fp16", "int4", "fp32")
"""The order in which a phone's variant is looked for: small and fast first; 4 bits change more
neighbours than the download is worth."""


def example_dim(manifest: Manifest) -> int:
    """The smallest trained size whose float vectors keep `ENOUGH`, of those that a variant gives;
    else the largest."""
    given = sorted({dim for variant in manifest.variants for dim in variant.dims})
    kept = {row.slice.dim: row.kept for row in manifest.quality.slices if row.slice.bits == FLOATS}
    return next((dim for dim in given if kept.get(dim, 0.0) >= ENOUGH), max(given))


def install_commands(manifest: Manifest) -> dict[str, str]:
    """For each format of the bundle, the pip command that brings its engine."""
    formats = dict.fromkeys(variant.format for variant in manifest.variants)
    return {format_: BACKENDS[format_].install for format_ in formats}


def python_snippet(manifest: Manifest) -> str:
    """A program that loads the bundle from the folder ``bundle`` and searches with it: a model of
    late interaction by its token vectors."""
    if manifest.embedding.late_interaction is not None:
        return """from edge_mrl import Encoder, Index, Prefetch

encoder = Encoder.load("bundle", token_vectors=True)
with Index.open("notes.db", encoder) as index:
    index.create_token_index()
    index.add(["The heron waits in the reeds.", "Compress a file with gzip."])
    shortlist = Prefetch(using="dense", limit=50)
    found = index.query("zip an archive", prefetch=shortlist, using="tokens", limit=2)
    for hit in found.hits:
        print(round(hit.score, 3), hit.text)
"""
    return f"""from edge_mrl import Encoder, Index

encoder = Encoder.load("bundle", truncate_dim={example_dim(manifest)})
with Index.open("notes.db", encoder) as index:
    index.add(["The heron waits in the reeds.", "Compress a file with gzip."])
    for hit in index.search("zip an archive", k=2):
        print(round(hit.score, 3), hit.text)
"""


def command_lines(manifest: Manifest) -> str:
    """The same on the command line, from a check of the copy to a search."""
    by_tokens = manifest.embedding.late_interaction is not None
    build = "--token-vectors" if by_tokens else f"--dim {example_dim(manifest)}"
    search = " --using tokens --funnel dense:50" if by_tokens else ""
    return f"""edge-mrl verify bundle      # every file's hash, every variant that can run here
edge-mrl doctor bundle      # what this device can run, tried for real
edge-mrl plan bundle --profile auto --docs 10000
edge-mrl build notes.db --bundle bundle --input corpus.jsonl {build}
edge-mrl search notes.db "zip an archive"{search}
"""


def shared_files(manifest: Manifest) -> tuple[str, ...]:
    """The files that every variant needs beside its own."""
    return MANIFEST_NAME, manifest.tokenizer.path, manifest.golden


def phone_variant(manifest: Manifest) -> Variant:
    """The variant to take into a phone's application: a table where there is one, for it needs no
    engine; else TFLite, else ONNX, in the order of `PHONE_PRECISIONS`."""
    formats = ("table", "tflite", "onnx")
    return min(
        manifest.variants,
        key=lambda one: (
            formats.index(one.format),
            -max(one.dims),
            PHONE_PRECISIONS.index(one.precision),
        ),
    )


def phone_advice(manifest: Manifest) -> str:
    """How an application on a phone runs that variant, in a few sentences."""
    variant = phone_variant(manifest)
    said = {
        "table": "A table needs no engine: a text's vector is the mean over its tokens of scale "
        "times row, cut to the wanted size and scaled to length 1; a few lines in any language.",
        "tflite": "Run it with LiteRT: pad the tokens to the shortest signature that holds them, "
        "cut the vector to the wanted size and scale it to length 1.",
        "onnx": "Run it with ONNX Runtime, from a path, so that it finds the constants beside the "
        "graph. This takes token ids, mask and the wanted size, and gives a vector of length 1. "
        "For a TFLite file, export with --formats tflite.",
    }[variant.format]
    alone = "" if variant.pad_invariant else " Run texts one at a time, not in batches."
    if not manifest.embedding.include_prompt:
        alone += " It also takes how many tokens of the text are the prompt's, to leave them out."
    return (
        f"{said}{alone} The tokenizer file is that of the Hugging Face tokenizers library, which "
        "can be built for phones. To know that your code is right, embed the texts of "
        f"{manifest.golden} without a prompt and compare: no cosine should lie more than 0.01 "
        f"below {variant.gate.cosine_min:.4f}."
    )


def cheapest_for(manifest: Manifest, kept: float) -> Slice | None:
    """The slice of the fewest bytes that keeps this share of the full vector's quality, or None."""
    rows = [row for row in manifest.quality.slices if row.kept >= kept]
    return min(rows, key=lambda row: (row.slice.nbytes, -row.kept)).slice if rows else None
