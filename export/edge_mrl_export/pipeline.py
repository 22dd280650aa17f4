"""The export, step by step: source, variants, verification, quality, bundle."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_mrl.bundle.golden import Golden, dump_golden
from edge_mrl.errors import ExportError
from edge_mrl.profiles.files import shipped
from edge_mrl_export.bundle_manifest import GOLDEN_FILE, TOKENIZER_FILE, manifest_of
from edge_mrl_export.front_loading import FrontLoading, measure_front_loading
from edge_mrl_export.golden_texts import GOLDEN_TEXTS
from edge_mrl_export.html_report import REPORT_FILE, html_report
from edge_mrl_export.layers import first_layers
from edge_mrl_export.measuring import by_layers, judged, labelled_data, self_labelled
from edge_mrl_export.model import BuiltVariant, ModelDescription, Source
from edge_mrl_export.options import ExportOptions
from edge_mrl_export.report import ExportReport, VariantReport
from edge_mrl_export.sample import Sample, default_sample, evenly, sample_from_file
from edge_mrl_export.sources import locate, open_folder, open_source
from edge_mrl_export.sources.origin import Origin
from edge_mrl_export.verify import Checkup, verify_variant
from edge_mrl_export.verify_tokens import TokenCheckup
from edge_mrl_export.wanted import wanted_variants
from edge_mrl_export.writer import list_files, staged, write_manifest

CHECKUP_TEXTS = 100
FRONT_LOADING_TEXTS = 200
TOKEN_TEXTS = 20
"""Beside the golden texts; some thousand tokens."""

GOLDEN_TOKEN_TEXTS = 3
"""Golden texts whose token vectors a bundle holds: up to the shortest, so that a variant which cuts
texts early has one that it reads whole."""

DEVICES = ("raspberry-pi-5", "raspberry-pi-4b", "raspberry-pi-zero-2w", "android-mid-range")
"""Those whose times and memory the page shows."""

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
            options = replace(options, token_vectors=True)
        requests, notes = wanted_variants(model, options)
        for note in notes:
            on_step(note)
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
            () if tokens is None else tokens.reference[:GOLDEN_TOKEN_TEXTS],
        )
        (folder / TOKENIZER_FILE).write_bytes(description.tokenizer.json)
        (folder / GOLDEN_FILE).write_bytes(dump_golden(golden))
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
        write_manifest(folder, manifest_of(folder, description, kept, reports))
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
        manifest = manifest_of(folder, description, kept, reports, quality)
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
    write_manifest(folder, manifest_of(folder, description, built, ()))
    reports = []
    for variant in built:
        on_step(f"verifying {variant.name} through the device runtime")
        reports.append(verify_variant(folder, variant, checkup, tokens, allow=options.allow))
    return tuple(reports)
