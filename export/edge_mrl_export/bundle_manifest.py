"""The manifest of a bundle: what was built, as it was measured."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from edge_mrl.bundle.manifest import (
    EmbeddingInfo,
    GateResult,
    Manifest,
    ModelInfo,
    Quality,
    TokenizerInfo,
    Variant,
)
from edge_mrl.version import __version__
from edge_mrl_export.gates import TOKEN_GATES
from edge_mrl_export.model import BuiltVariant, ModelDescription
from edge_mrl_export.report import VariantReport
from edge_mrl_export.writer import list_files

TOKENIZER_FILE = "tokenizer.json"
GOLDEN_FILE = "golden.json"
UNMEASURED = Quality("not measured", 0, 0, 0.0, 1.0, ())

TOOLS = ("numpy", "tokenizers")
"""Packages that every export uses; a source names its own."""


def manifest_of(
    folder: Path,
    description: ModelDescription,
    variants: Sequence[BuiltVariant],
    reports: Sequence[VariantReport],
    quality: Quality = UNMEASURED,
) -> Manifest:
    """The manifest of a bundle whose other files stand in `folder`.

    Args:
        folder: the bundle as far as it is made.
        description: the model.
        variants: what the bundle has to run.
        reports: how they compared with the reference; without one a variant's gates are open.
        quality: what every slice keeps.
    """
    measured = {report.name: report for report in reports}
    return Manifest(
        model=ModelInfo(
            name=description.name,
            architecture=description.architecture,
            source=description.source,
            licence=description.licence,
            identity=description.identity,
            multiplied_weights=description.multiplied_weights,
        ),
        embedding=EmbeddingInfo(
            dim=description.dim,
            matryoshka_dims=description.matryoshka_dims,
            similarity=description.similarity,
            prompts=description.prompts,
            default_prompt_name=description.default_prompt_name,
            include_prompt=description.include_prompt,
            late_interaction=description.late_interaction,
        ),
        tokenizer=TokenizerInfo(
            path=TOKENIZER_FILE,
            add_special_tokens=description.tokenizer.add_special_tokens,
            max_tokens=description.tokenizer.max_tokens,
            pad_id=description.tokenizer.pad_id,
        ),
        variants=tuple(_variant(variant, measured.get(variant.name)) for variant in variants),
        quality=quality,
        golden=GOLDEN_FILE,
        files=list_files(folder),
        tools=_tools(description.tools),
    )


def _variant(built: BuiltVariant, report: VariantReport | None) -> Variant:
    gate = GateResult(-1.0, -1.0, built.min_cosine)
    if report is not None:
        mean = min(report.cosine.values())
        gate = GateResult(
            round(mean, 6), round(report.cosine_min, 6), built.min_cosine, report.why_refused()
        )
    return Variant(
        name=built.name,
        format=built.format,
        precision=built.precision,
        dims=built.dims,
        files=built.files,
        pad_invariant=built.pad_invariant,
        session_options=built.session_options,
        gate=gate,
        engines=built.engines,
        max_tokens=built.max_tokens,
        sequence_lengths=built.sequence_lengths,
        token_vectors=_token_gate(built, report),
    )


def _token_gate(built: BuiltVariant, report: VariantReport | None) -> GateResult | None:
    if not built.token_vectors:
        return None
    threshold = TOKEN_GATES[built.precision].cosine
    if report is None or report.tokens is None:
        return GateResult(-1.0, -1.0, threshold)
    mean = min(report.tokens.cosine.values())
    return GateResult(round(mean, 6), round(report.tokens.cosine_min, 6), threshold)


def _tools(packages: Sequence[str]) -> dict[str, str]:
    """Versions of what decides the bytes of a bundle."""
    versions = {package: version(package) for package in (*TOOLS, *packages)}
    return {"edge-mrl": __version__, "python": platform.python_version()} | versions
