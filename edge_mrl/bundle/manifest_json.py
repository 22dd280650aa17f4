"""`manifest.json` as text: strict reading and writing. Pure: no file is opened here."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TypeVar, get_args

from edge_mrl.bundle.manifest import (
    MANIFEST_NAME,
    EmbeddingInfo,
    Estimate,
    FileEntry,
    GateResult,
    Labels,
    LateInteraction,
    LayerQuality,
    Manifest,
    ModelInfo,
    Precision,
    Quality,
    Similarity,
    SliceQuality,
    TokenizerInfo,
    Variant,
    VariantFormat,
    VariantQuality,
)
from edge_mrl.bundle.manifest_relations import check_relations
from edge_mrl.bundle.seal import CHECKSUM, is_intact, sealed
from edge_mrl.errors import BundleError
from edge_mrl.schema import Table, load_json
from edge_mrl.slices import MAX_DIM, Slice

SCHEMA_VERSION = 3
"""2 has no checksum. 1 has the same fields as 2; its ONNX variants are one file each."""
_FIRST_WITH_CHECKSUM = 3
FORMAT_NAME = "edge-mrl bundle"
MAX_MANIFEST_BYTES = 4 * 2**20
MAX_FILE_BYTES = 2**40
MAX_QUERY_TOKENS = 8192
"""To which a query of a model of late interaction is filled up: each is run."""
SESSION_OPTIONS = frozenset({"session.disable_quant_qdq"})
"""Of ONNX Runtime's configuration, what changes numbers and nothing else; each is 0 or 1."""

Choice = TypeVar("Choice", bound=str)


def dump(manifest: Manifest) -> bytes:
    """Write a manifest as UTF-8 JSON; the same manifest always gives the same bytes."""
    fields = {name: _plain(value) for name, value in manifest._asdict().items()}
    return sealed({"format": FORMAT_NAME, "schema": SCHEMA_VERSION, **fields})


def _plain(value: object) -> object:
    """A part of a manifest as JSON has it."""
    if isinstance(value, Slice):
        return str(value)
    if not isinstance(value, tuple):
        return value
    fields: tuple[str, ...] | None = getattr(value, "_fields", None)
    if fields is None:
        return [_plain(item) for item in value]
    return {name: _plain(item) for name, item in zip(fields, value, strict=True)}


def parse(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        BundleError: not JSON, not a manifest, damaged, of a newer schema, or a field is missing, of
            the wrong type, out of range, or in conflict with another.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleError(
            f"{MANIFEST_NAME} is larger than {MAX_MANIFEST_BYTES} bytes: it cannot be genuine"
        )
    try:
        document = load_json(data)
    except ValueError as error:
        raise BundleError(
            f"{MANIFEST_NAME} is not valid JSON ({error}): export the bundle again"
        ) from error
    root = Table(document, MANIFEST_NAME, BundleError)
    if root.text("format") != FORMAT_NAME:
        root.fail(f"the format is not {FORMAT_NAME!r}: this is not a bundle of edge-mrl")
    sealed_by = root.text(CHECKSUM) if CHECKSUM in root else None
    if sealed_by is not None and not is_intact(data, sealed_by):
        root.fail("its checksum is not that of its content: it is damaged; copy the bundle again")
    version = root.integer("schema", 1, 10**6)
    if version > SCHEMA_VERSION:
        root.fail(
            f"schema {version} is newer than this edge-mrl reads ({SCHEMA_VERSION}): upgrade "
            "edge-mrl"
        )
    if sealed_by is None and version >= _FIRST_WITH_CHECKSUM:
        root.fail(f"it has no {CHECKSUM}: it is damaged; copy the bundle again")
    manifest = Manifest(
        model=_model(root.table("model")),
        embedding=_embedding(root.table("embedding")),
        tokenizer=_tokenizer(root.table("tokenizer")),
        variants=tuple(_variant(table) for table in root.tables("variants", max_items=1000)),
        quality=_quality(root.table("quality")),
        golden=_path(root, root.text("golden")),
        files=tuple(_file(table) for table in root.tables("files")),
        tools=_texts_by_name(root.table("tools")),
    )
    check_relations(manifest, root)
    return manifest


def _model(table: Table) -> ModelInfo:
    identity = table.text("identity")
    if re.fullmatch(r"[0-9a-f]{64}", identity) is None:
        table.fail("the identity must be 64 hexadecimal digits")
    return ModelInfo(
        name=table.text("name"),
        architecture=table.text("architecture"),
        source=table.text("source"),
        licence=table.text("licence"),
        identity=identity,
        multiplied_weights=table.optional_integer("multiplied_weights", 0, MAX_FILE_BYTES),
    )


def _embedding(table: Table) -> EmbeddingInfo:
    dim = table.integer("dim", 1, MAX_DIM)
    dims = table.integers("matryoshka_dims", 1, dim)
    if not dims or list(dims) != sorted(set(dims)):
        table.fail("matryoshka_dims must be a rising list of at least one size")
    return EmbeddingInfo(
        dim=dim,
        matryoshka_dims=dims,
        similarity=_choice(table, "similarity", get_args(Similarity)),
        prompts=_texts_by_name(table.table("prompts")),
        default_prompt_name=table.optional_text("default_prompt_name"),
        include_prompt=table.flag("include_prompt") if "include_prompt" in table else True,
        late_interaction=(
            None
            if table.get("late_interaction") is None
            else _late_interaction(table.table("late_interaction"))
        ),
    )


def _late_interaction(table: Table) -> LateInteraction:
    return LateInteraction(
        query_tokens=table.integer("query_tokens", 1, MAX_QUERY_TOKENS),
        document_tokens=table.integer("document_tokens", 1, 10**6),
        fill_id=table.optional_integer("fill_id", 0, 2**31 - 1),
        attend_to_fill=table.flag("attend_to_fill"),
        skipped_ids=table.integers("skipped_ids", 0, 2**31 - 1),
    )


def _tokenizer(table: Table) -> TokenizerInfo:
    return TokenizerInfo(
        path=_path(table, table.text("path")),
        add_special_tokens=table.flag("add_special_tokens"),
        max_tokens=table.optional_integer("max_tokens", 1, 10**6),
        pad_id=table.integer("pad_id", 0, 2**31 - 1),
    )


def _gate(gate: Table) -> GateResult:
    return GateResult(
        cosine_mean=gate.number("cosine_mean", -1, 1.001),
        cosine_min=gate.number("cosine_min", -1, 1.001),
        threshold=gate.number("threshold", -1, 1),
        missed=gate.optional_text("missed") or "",
    )


def _variant(table: Table) -> Variant:
    return Variant(
        name=table.text("name", max_length=100),
        format=_choice(table, "format", get_args(VariantFormat)),
        precision=_choice(table, "precision", get_args(Precision)),
        dims=table.integers("dims", 1, MAX_DIM),
        files=tuple(_path(table, path) for path in table.texts("files")),
        pad_invariant=table.flag("pad_invariant"),
        session_options=_session_options(table.table("session_options")),
        gate=_gate(table.table("gate")),
        engines=table.texts("engines") if "engines" in table else (),
        max_tokens=table.optional_integer("max_tokens", 1, 10**6),
        sequence_lengths=_lengths(table),
        token_vectors=(
            None if table.get("token_vectors") is None else _gate(table.table("token_vectors"))
        ),
    )


def _session_options(table: Table) -> dict[str, str]:
    """What ONNX Runtime is told. It has options that write files anywhere, so no others pass."""
    options = _texts_by_name(table)
    for key, value in options.items():
        if key not in SESSION_OPTIONS or value not in ("0", "1"):
            table.fail(f"{key}={value} is no option of a bundle: upgrade edge-mrl or export again")
    return options


def _lengths(table: Table) -> tuple[int, ...]:
    key = "sequence_lengths"
    lengths = table.integers(key, 1, 10**6) if key in table else ()
    if list(lengths) != sorted(set(lengths)):
        table.fail(f"{key} must rise")
    return lengths


def _quality(table: Table) -> Quality:
    return Quality(
        method=table.text("method"),
        queries=table.integer("queries", 0, 10**9),
        documents=table.integer("documents", 0, 10**9),
        full_ndcg_at_10=table.number("full_ndcg_at_10", 0, 1),
        shortlist_growth=table.number("shortlist_growth", 0, 1),
        slices=tuple(
            SliceQuality(
                slice=Slice.parse(row.text("slice")),
                ndcg_at_10=row.number("ndcg_at_10", 0, 1),
                kept=row.number("kept", 0, 100),
                shortlist=row.integer("shortlist", 1, 10**9),
            )
            for row in table.tables("slices")
        ),
        labels=(
            _choice(table, "labels", get_args(Labels)) if "labels" in table else "self-labelled"
        ),
        variants=tuple(_variant_quality(row) for row in _optional_tables(table, "variants")),
        layers=tuple(
            LayerQuality(
                layers=row.integer("layers", 1, 10**4),
                dim=row.integer("dim", 1, MAX_DIM),
                ndcg_at_10=row.number("ndcg_at_10", 0, 1),
                kept=row.number("kept", 0, 100),
            )
            for row in _optional_tables(table, "layers")
        ),
    )


def _variant_quality(table: Table) -> VariantQuality:
    return VariantQuality(
        variant=table.text("variant", max_length=100),
        slice=Slice.parse(table.text("slice")),
        ndcg_at_10=_estimate(table.table("ndcg_at_10")),
        recall_at_100=_estimate(table.table("recall_at_100")),
    )


def _estimate(table: Table) -> Estimate:
    return Estimate(*(table.number(key, 0, 1) for key in ("value", "low", "high")))


def _optional_tables(table: Table, key: str) -> tuple[Table, ...]:
    return table.tables(key) if key in table else ()


def _file(table: Table) -> FileEntry:
    digest = table.text("sha256")
    if re.fullmatch(r"[0-9a-f]{64}", digest) is None:
        table.fail("sha256 must be 64 hexadecimal digits")
    return FileEntry(
        _path(table, table.text("path")), digest, table.integer("size", 0, MAX_FILE_BYTES)
    )


def _texts_by_name(table: Table) -> dict[str, str]:
    return {key: table.text(key) for key in table}


def _choice(table: Table, key: str, choices: tuple[Choice, ...]) -> Choice:
    value = table.text(key)
    for choice in choices:
        if value == choice:
            return choice
    table.fail(f"{key} {value!r} is unknown; known are {', '.join(choices)}")


def _path(table: Table, text: str) -> str:
    """A relative path inside the bundle: no root, no `..`, no backslash, no drive, no empty
    part."""
    parts = text.split("/")
    safe = re.fullmatch(r"[A-Za-z0-9._/-]{1,200}", text) is not None
    if (
        not safe
        or PurePosixPath(text).is_absolute()
        or any(part in ("", ".", "..") for part in parts)
    ):
        table.fail(f"the path {text!r} does not stay inside the bundle")
    return text
