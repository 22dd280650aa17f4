"""The export, step by step: source, variants, verification, quality, bundle."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edge_mrl_export.layers import first_layers
from edge_mrl_export.measuring import labelled_data
from edge_mrl_export.model import Source, VariantRequest
from edge_mrl_export.options import ExportOptions, check_options
from edge_mrl_export.report import ExportReport
from edge_mrl_export.sample import default_sample, sample_from_file
from edge_mrl_export.sources import locate, open_folder, open_source
from edge_mrl_export.steps import Step, Work
from edge_mrl_export.wanted import wanted_variants
from edge_mrl_export.writer import staged


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
    check_options(options)
    on_step(f"reading {source}")
    data = labelled_data(options.eval) if options.eval else None
    with (
        _opened(source, options) as model,
        staged(destination, overwrite=options.overwrite) as folder,
    ):
        description = model.describe()
        if description.late_interaction is not None:
            options = replace(options, token_vectors=True)
        requests = _requests(model, options, on_step)
        sample = sample_from_file(options.texts) if options.texts else default_sample()
        work = Work(model, description, options, sample, folder, on_step)
        expected = work.expected()
        built = work.build(requests, expected)
        reports = work.verify(built, expected)
        kept = work.keep(built, reports)
        quality = work.measure(source, kept, data)
        manifest = work.finish(kept, reports, quality)
    return ExportReport(
        destination,
        time.monotonic() - start,
        model.reference_name(),
        manifest,
        reports,
        expected.front_loading,
    )


def _requests(model: Source, options: ExportOptions, on_step: Step) -> tuple[VariantRequest, ...]:
    requests, notes = wanted_variants(model, options)
    for note in notes:
        on_step(note)
    return requests


@contextlib.contextmanager
def _opened(source: str, options: ExportOptions) -> Iterator[Source]:
    if options.layers is None:
        yield open_source(source, options)
        return
    origin = locate(source, options)
    with first_layers(origin.folder, options.layers) as cut:
        yield open_folder(origin.first_layers(cut, options.layers), options)
