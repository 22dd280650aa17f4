"""What `manifest.json` says: the parsed form, and how it is read and written. Pure: no file is
opened here.

docs/bundle-format.md is the specification. A manifest is refused as a whole if any field is wrong,
so code that holds a `Manifest` may rely on every relation checked in `parse`."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, TypeVar, get_args

from edge_mrl.errors import BundleError
from edge_mrl.schema import Table
from edge_mrl.slices import MAX_DIM, Slice

SCHEMA_VERSION = 1
FORMAT_NAME = "edge-mrl bundle"
MANIFEST_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 4 * 2**20
MAX_FILE_BYTES = 2**40

VariantFormat = Literal["table", "onnx", "tflite"]
Precision = Literal["fp32", "fp16", "int8-fast", "int8-portable", "int4"]
Similarity = Literal["cosine", "dot"]
Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of the bundle: path relative to the bundle with forward slashes, SHA-256 in hex,
    size."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Where the model came from. `identity` names its vector space: every variant of a bundle
    shares it."""

    name: str
    architecture: str
    source: str
    licence: str
    identity: str


@dataclass(frozen=True, slots=True)
class EmbeddingInfo:
    """What a vector of this model is.

    `dim` is the full width, `matryoshka_dims` the trained sizes in rising order, `prompts` the text
    put before an input by name ("query" and "document" are used by `encode_query` and
    `encode_document`)."""

    dim: int
    matryoshka_dims: tuple[int, ...]
    similarity: Similarity
    prompts: dict[str, str]
    default_prompt_name: str | None


@dataclass(frozen=True, slots=True)
class TokenizerInfo:
    """How texts become token ids: a Hugging Face `tokenizers` file and the settings around it.

    `max_tokens` counts special tokens; None means that texts are never cut.
    """

    path: str
    add_special_tokens: bool
    max_tokens: int | None
    pad_id: int


@dataclass(frozen=True, slots=True)
class GateResult:
    """How a variant compared with the fp32 reference on the golden texts, through the device
    runtime."""

    cosine_mean: float
    cosine_min: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Variant:
    """One runnable form of the model.

    `dims` are the trained sizes it can give, `pad_invariant` says whether a text's vector is the
    same alone and in a padded batch (where it is not, the runtime runs texts one by one),
    `session_options` are engine settings the file needs to give the right numbers, `engines` the
    packages that are known to run it rightly (none named: every engine of the format), `max_tokens`
    a shorter limit than the tokenizer's, where the file's shapes end there, `gate` is what was
    measured at export."""

    name: str
    format: VariantFormat
    precision: Precision
    dims: tuple[int, ...]
    files: tuple[str, ...]
    pad_invariant: bool
    session_options: dict[str, str]
    gate: GateResult
    engines: tuple[str, ...] = ()
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class SliceQuality:
    """What one slice costs and keeps, measured at export on `Quality.documents` texts.

    `ndcg_at_10` of retrieval with this slice alone, `kept` the same as a fraction of the full fp32
    vector's, `shortlist` how many candidates a scan at this slice must keep so that 99 % of the
    full vector's top 10 are among them."""

    slice: Slice
    ndcg_at_10: float
    kept: float
    shortlist: int


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality table, and what it was measured on.

    `shortlist_growth` is the exponent g of the fitted law shortlist(n) = shortlist * (n /
    documents) ** g."""

    method: str
    queries: int
    documents: int
    full_ndcg_at_10: float
    shortlist_growth: float
    slices: tuple[SliceQuality, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole manifest of a bundle."""

    model: ModelInfo
    embedding: EmbeddingInfo
    tokenizer: TokenizerInfo
    variants: tuple[Variant, ...]
    quality: Quality
    golden: str
    files: tuple[FileEntry, ...]
    tools: dict[str, str]

    def variant(self, name: str) -> Variant:
        """The variant of that name.

        Raises:
            BundleError: there is none; the message lists those there are.
        """
        for variant in self.variants:
            if variant.name == name:
                return variant
        names = ", ".join(variant.name for variant in self.variants)
        raise BundleError(f"this bundle has no variant {name!r}: choose one of {names}")

    def max_tokens(self, variant: Variant) -> int | None:
        """Where a variant's texts are cut, special tokens counted; None: never."""
        limits = (self.tokenizer.max_tokens, variant.max_tokens)
        return min((limit for limit in limits if limit is not None), default=None)

    def file(self, path: str) -> FileEntry:
        """The entry of a file that the manifest lists."""
        for entry in self.files:
            if entry.path == path:
                return entry
        raise BundleError(
            f"{MANIFEST_NAME} does not list the file {path!r}: export the bundle again"
        )


def dump(manifest: Manifest) -> bytes:
    """Write a manifest as UTF-8 JSON; the same manifest always gives the same bytes."""
    fields = dataclasses.asdict(manifest)
    for row, quality in zip(fields["quality"]["slices"], manifest.quality.slices, strict=True):
        row["slice"] = str(quality.slice)
    document = {"format": FORMAT_NAME, "schema": SCHEMA_VERSION, **fields}
    return (json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode()


def parse(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        BundleError: not JSON, not a manifest, of a newer schema, or a field is missing, of the
            wrong type, out of range, or in conflict with another.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleError(
            f"{MANIFEST_NAME} is larger than {MAX_MANIFEST_BYTES} bytes: it cannot be genuine"
        )
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"{MANIFEST_NAME} is not valid JSON ({error}): export the bundle again"
        ) from error
    root = Table(document, MANIFEST_NAME, BundleError)
    if root.text("format") != FORMAT_NAME:
        root.fail(f"the format is not {FORMAT_NAME!r}: this is not a bundle of edge-mrl")
    version = root.integer("schema", 1, 10**6)
    if version > SCHEMA_VERSION:
        root.fail(
            f"schema {version} is newer than this edge-mrl reads ({SCHEMA_VERSION}): upgrade "
            "edge-mrl"
        )
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
    _check_relations(manifest, root)
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
    )


def _tokenizer(table: Table) -> TokenizerInfo:
    return TokenizerInfo(
        path=_path(table, table.text("path")),
        add_special_tokens=table.flag("add_special_tokens"),
        max_tokens=table.optional_integer("max_tokens", 1, 10**6),
        pad_id=table.integer("pad_id", 0, 2**31 - 1),
    )


def _variant(table: Table) -> Variant:
    gate = table.table("gate")
    return Variant(
        name=table.text("name", max_length=100),
        format=_choice(table, "format", get_args(VariantFormat)),
        precision=_choice(table, "precision", get_args(Precision)),
        dims=table.integers("dims", 1, MAX_DIM),
        files=tuple(_path(table, path) for path in table.texts("files")),
        pad_invariant=table.flag("pad_invariant"),
        session_options=_texts_by_name(table.table("session_options")),
        gate=GateResult(
            cosine_mean=gate.number("cosine_mean", -1, 1.001),
            cosine_min=gate.number("cosine_min", -1, 1.001),
            threshold=gate.number("threshold", -1, 1),
        ),
        engines=table.texts("engines") if "engines" in table else (),
        max_tokens=table.optional_integer("max_tokens", 1, 10**6),
    )


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
    )


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


def _check_relations(manifest: Manifest, root: Table) -> None:
    listed = [entry.path for entry in manifest.files]
    if len(set(listed)) != len(listed):
        root.fail("a file is listed twice")
    names = [variant.name for variant in manifest.variants]
    if not names or len(set(names)) != len(names):
        root.fail("there must be at least one variant, and no two of one name")
    used = {manifest.tokenizer.path, manifest.golden}
    for variant in manifest.variants:
        used.update(variant.files)
        if not variant.dims or not set(variant.dims) <= set(manifest.embedding.matryoshka_dims):
            root.fail(f"variant {variant.name!r} gives sizes that are not among matryoshka_dims")
    missing = sorted(used - set(listed))
    if missing:
        root.fail(f"the file {missing[0]!r} is used but not listed under files")
    for row in manifest.quality.slices:
        if row.slice.dim not in manifest.embedding.matryoshka_dims:
            root.fail(f"the quality table has {row.slice}, which is not a trained size")
