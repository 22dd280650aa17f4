"""The export, step by step: source, variants, verification, quality, bundle."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import product
from pathlib import Path

import numpy as np

from edge_mrl.bundle.golden import Golden, dump_golden
from edge_mrl.bundle.manifest import (
    EmbeddingInfo,
    GateResult,
    Manifest,
    ModelInfo,
    Quality,
    TokenizerInfo,
    Variant,
)
from edge_mrl.encoder.encoder import SELF_TEST_TEXTS
from edge_mrl.errors import ExportError
from edge_mrl.profiles.files import shipped
from edge_mrl.version import __version__
from edge_mrl_export.front_loading import FrontLoading, measure_front_loading
from edge_mrl_export.gates import TOKEN_GATES
from edge_mrl_export.golden_texts import GOLDEN_TEXTS
from edge_mrl_export.html_report import REPORT_FILE, html_report
from edge_mrl_export.layers import first_layers
from edge_mrl_export.measuring import by_layers, judged, labelled_data, self_labelled
from edge_mrl_export.model import BuiltVariant, ModelDescription, Source, VariantRequest
from edge_mrl_export.options import ExportOptions
from edge_mrl_export.report import ExportReport, VariantReport
from edge_mrl_export.sample import Sample, default_sample, evenly, sample_from_file
from edge_mrl_export.sources import locate, open_folder, open_source
from edge_mrl_export.sources.origin import Origin
from edge_mrl_export.verify import Checkup, verify_variant
from edge_mrl_export.verify_tokens import TokenCheckup
from edge_mrl_export.writer import list_files, staged, write_manifest

TOKENIZER_FILE = "tokenizer.json"
GOLDEN_FILE = "golden.json"
CHECKUP_TEXTS = 100
FRONT_LOADING_TEXTS = 200
TOKEN_TEXTS = 20
"""Beside the golden texts; some thousand tokens."""

DEVICES = ("raspberry-pi-5", "raspberry-pi-4b", "raspberry-pi-zero-2w", "android-mid-range")
"""Those whose times and memory the page shows."""

TOOLS = ("numpy", "tokenizers")
"""Packages that every export uses; a source names its own."""

Step = Callable[[str], None]


def export(
    source: str,
    destination: str | os.PathLike[str],
    options: ExportOptions | None = None,
    *,
    on_step: Step = lambda _: None,
) -> ExportReport:
    """Export a trained Matryoshka model to a bundle.

    Args:
        source: ``wordllama``, a model folder of sentence-transformers or model2vec, or the id of
            one on the Hugging Face hub.
        destination: where the bundle is to stand.
        options: what the user asks for.
        on_step: called with a few words before each step.

    Returns:
        What was written and how it compared.

    Raises:
        ExportError: the model cannot be exported, no variant passed its gate, or `options.strict`
            and the model is not shown to be front-loaded. Nothing is left behind.
    """
    options, destination = options or ExportOptions(), Path(destination)
    start = time.monotonic()
    on_step(f"reading {source}")
    data = labelled_data(options.eval) if options.eval else None
    with (
        _opened(source, options) as model,
        staged(destination, overwrite=options.overwrite) as folder,
    ):
        description = model.describe()
        if description.late_interaction is not None:
            _refuse_tflite(options)
            options = replace(options, token_vectors=True)
        requests = _requests(model, options, on_step)
        for request in requests:
            model.check(request)
        sample = sample_from_file(options.texts) if options.texts else default_sample()
        on_step(f"reference vectors by {model.reference_name()}")
        checkup = _checkup(model, sample)
        on_step("comparing prefixes with random coordinates")
        front_loading = _front_loading(model, description, sample, checkup)
        _warn_or_refuse(front_loading, options, on_step)
        tokens = _token_checkup(model, checkup) if options.token_vectors else None
        golden = Golden(
            checkup.texts[: checkup.golden],
            checkup.reference[: checkup.golden],
            () if tokens is None else tokens.reference[:SELF_TEST_TEXTS],
        )
        (folder / TOKENIZER_FILE).write_bytes(description.tokenizer.json)
        (folder / GOLDEN_FILE).write_bytes(dump_golden(golden))
        tokens = _token_checkup(model, checkup) if options.token_vectors else None
        built: list[BuiltVariant] = []
        for request in requests:
            on_step(f"building {request.format} {request.precision}")
            built.extend(model.build(request, folder))
        reports = _verify(folder, description, built, checkup, tokens, options, on_step)
        kept = [variant for variant, report in zip(built, reports, strict=True) if report.kept]
        if not kept:
            missed = "; ".join(f"{report.name}: {report.why_refused()}" for report in reports)
            raise ExportError(f"no variant passed its gate: {missed}")
        for variant in built:
            if variant not in kept:
                for file in variant.files:
                    (folder / file).unlink()
        write_manifest(folder, _manifest(folder, description, kept, reports, _EMPTY_QUALITY))
        if data is None:
            on_step(f"measuring what every slice keeps on {len(sample.documents)} texts")
            quality = self_labelled(folder, kept, sample, description)
        else:
            quality = judged(
                folder,
                kept,
                data,
                description,
                lambda name: on_step(
                    f"measuring {name} on {len(data.documents)} documents of {data.name}"
                ),
            )
        if options.layers is not None:
            origin = locate(source, options)
            on_step("measuring what fewer layers keep")
            quality = quality._replace(
                layers=by_layers(
                    origin.folder,
                    options.layers,
                    sample,
                    lambda one: open_folder(Origin.of_folder(one), options),
                ),
            )
        manifest = _manifest(folder, description, kept, reports, quality)
        on_step("writing the bundle")
        page = html_report(manifest, reports, model.reference_name(), shipped(*DEVICES))
        (folder / REPORT_FILE).write_text(page, encoding="utf-8", newline="\n")
        manifest = manifest._replace(files=list_files(folder))
        write_manifest(folder, manifest)
    return ExportReport(
        destination,
        time.monotonic() - start,
        model.reference_name(),
        manifest,
        reports,
        front_loading,
    )


@contextlib.contextmanager
def _opened(source: str, options: ExportOptions) -> Iterator[Source]:
    if options.layers is None:
        yield open_source(source, options)
        return
    origin = locate(source, options)
    with first_layers(origin.folder, options.layers) as cut:
        yield open_folder(origin.first_layers(cut, options.layers), options)


_EMPTY_QUALITY = Quality("not measured", 0, 0, 0.0, 1.0, ())


def _requests(model: Source, options: ExportOptions, on_step: Step) -> tuple[VariantRequest, ...]:
    defaults = model.default_requests()
    note = model.default_note()
    if note is not None and options.formats is None:
        on_step(note)
    if options.formats is None and options.precisions is None:
        return _with_tokens(defaults, options, on_step)
    formats = options.formats or tuple(dict.fromkeys(request.format for request in defaults))
    precisions = options.precisions or tuple(
        dict.fromkeys(request.precision for request in defaults)
    )
    chosen = tuple(
        VariantRequest(format_, precision) for format_, precision in product(formats, precisions)
    )
    return _with_tokens(chosen, options, on_step)


def _refuse_tflite(options: ExportOptions) -> None:
    if "tflite" in (options.formats or ()):
        raise ExportError(
            "a model of late interaction is its token vectors, which a TFLite file does not give: "
            "ask for --formats onnx"
        )


def _with_tokens(
    requests: Sequence[VariantRequest], options: ExportOptions, on_step: Step
) -> tuple[VariantRequest, ...]:
    """The same, with token vectors where they are wanted and the format can give them."""
    if not options.token_vectors:
        return tuple(requests)
    without = [request for request in requests if request.format == "tflite"]
    if len(without) == len(requests):
        raise ExportError(
            "a TFLite file gives no token vectors: ask for --formats onnx too, or leave out "
            "--token-vectors"
        )
    if without:
        on_step("TFLite variants are written without token vectors")
    return tuple(
        VariantRequest(request.format, request.precision, token_vectors=request not in without)
        for request in requests
    )


def _token_checkup(model: Source, checkup: Checkup) -> TokenCheckup:
    others = evenly(checkup.texts[checkup.golden :], TOKEN_TEXTS)
    texts = (*checkup.texts[: checkup.golden], *others)
    return TokenCheckup(texts, tuple(model.reference_tokens(texts)))


def _checkup(model: Source, sample: Sample) -> Checkup:
    step = max(1, len(sample.documents) // CHECKUP_TEXTS)
    texts = (*GOLDEN_TEXTS, *sample.documents[::step][:CHECKUP_TEXTS])
    return Checkup(texts, model.reference(texts), len(GOLDEN_TEXTS))


def _front_loading(
    model: Source, description: ModelDescription, sample: Sample, checkup: Checkup
) -> FrontLoading:
    # What the checkup has embedded serves again; as many more give the verdict that 300 give.
    known = dict(
        zip(checkup.texts[checkup.golden :], checkup.reference[checkup.golden :], strict=True)
    )
    unseen = [text for text in dict.fromkeys(sample.documents) if text not in known]
    more = evenly(unseen, FRONT_LOADING_TEXTS - len(known))
    vectors = np.stack(list(known.values()))
    if more:
        vectors = np.concatenate([vectors, model.reference(more)])
    return measure_front_loading(vectors, description.matryoshka_dims)


def _warn_or_refuse(outcome: FrontLoading, options: ExportOptions, on_step: Step) -> None:
    if not outcome.refused:
        return
    if options.strict:
        raise ExportError(f"refused by --strict: {outcome.in_words()}")
    on_step(f"warning: {outcome.in_words()}")


def _verify(
    folder: Path,
    description: ModelDescription,
    built: Sequence[BuiltVariant],
    checkup: Checkup,
    tokens: TokenCheckup | None,
    options: ExportOptions,
    on_step: Step,
) -> tuple[VariantReport, ...]:
    # The runtime opens bundles, so it is given one whose gates are still open.
    write_manifest(folder, _manifest(folder, description, built, (), _EMPTY_QUALITY))
    reports = []
    for variant in built:
        on_step(f"verifying {variant.name} through the device runtime")
        reports.append(verify_variant(folder, variant, checkup, tokens, allow=options.allow))
    return tuple(reports)


def _manifest(
    folder: Path,
    description: ModelDescription,
    variants: Sequence[BuiltVariant],
    reports: Sequence[VariantReport],
    quality: Quality,
) -> Manifest:
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
