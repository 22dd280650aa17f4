"""The steps of one export, on one model and one folder that becomes a bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge_mrl.bundle.golden import Golden, dump_golden
from edge_mrl.bundle.manifest import Manifest, Quality
from edge_mrl.errors import ExportError
from edge_mrl.profiles.files import shipped
from edge_mrl_export.bundle_manifest import GOLDEN_FILE, TOKENIZER_FILE, manifest_of
from edge_mrl_export.evaluation.data import RetrievalData
from edge_mrl_export.front_loading import FrontLoading, measure_front_loading
from edge_mrl_export.golden_texts import GOLDEN_TEXTS
from edge_mrl_export.html_report import REPORT_FILE, html_report
from edge_mrl_export.measuring import by_layers, judged, self_labelled
from edge_mrl_export.model import BuiltVariant, ModelDescription, Source, VariantRequest
from edge_mrl_export.options import ExportOptions
from edge_mrl_export.report import VariantReport
from edge_mrl_export.sample import Sample, evenly
from edge_mrl_export.sources import locate, open_folder
from edge_mrl_export.sources.origin import Origin
from edge_mrl_export.verify import Checkup, verify_variant
from edge_mrl_export.verify_tokens import TokenCheckup
from edge_mrl_export.writer import list_files, write_manifest

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


class Expected(NamedTuple):
    """What the model's own library makes of some texts, against which variants are held."""

    checkup: Checkup
    front_loading: FrontLoading
    tokens: TokenCheckup | None


class Work(NamedTuple):
    """One export under way: a model, what was asked of it, and the folder that becomes a bundle."""

    model: Source
    description: ModelDescription
    options: ExportOptions
    sample: Sample
    folder: Path
    on_step: Step

    def expected(self) -> Expected:
        """Embed the sample, and refuse a model by it where that was asked for."""
        self.on_step(f"reference vectors by {self.model.reference_name()}")
        checkup = _checkup(self.model, self.sample)
        self.on_step("comparing prefixes with random coordinates")
        front_loading = _front_loading(self.model, self.description, self.sample, checkup)
        _warn_or_refuse(front_loading, self.options, self.on_step)
        tokens = _token_checkup(self.model, checkup) if self.options.token_vectors else None
        return Expected(checkup, front_loading, tokens)

    def build(
        self, requests: Sequence[VariantRequest], expected: Expected
    ) -> tuple[BuiltVariant, ...]:
        """Write the tokenizer, the golden texts and every variant."""
        checkup, tokens = expected.checkup, expected.tokens
        golden = Golden(
            checkup.texts[: checkup.golden],
            checkup.reference[: checkup.golden],
            () if tokens is None else tokens.reference[:GOLDEN_TOKEN_TEXTS],
        )
        (self.folder / TOKENIZER_FILE).write_bytes(self.description.tokenizer.json)
        (self.folder / GOLDEN_FILE).write_bytes(dump_golden(golden))
        built: list[BuiltVariant] = []
        for request in requests:
            self.on_step(f"building {request.format} {request.precision}")
            built.extend(self.model.build(request, self.folder))
        return tuple(built)

    def verify(
        self, built: Sequence[BuiltVariant], expected: Expected
    ) -> tuple[VariantReport, ...]:
        """Run every variant through the device runtime."""
        # The runtime opens bundles, so it is given one whose gates are still open.
        write_manifest(self.folder, manifest_of(self.folder, self.description, built, ()))
        reports = []
        for variant in built:
            self.on_step(f"verifying {variant.name} through the device runtime")
            reports.append(
                verify_variant(
                    self.folder,
                    variant,
                    expected.checkup,
                    expected.tokens,
                    allow=self.options.allow,
                )
            )
        return tuple(reports)

    def keep(
        self, built: Sequence[BuiltVariant], reports: Sequence[VariantReport]
    ) -> tuple[BuiltVariant, ...]:
        """Remove the files of variants that are not written, and leave a bundle of the rest.

        Raises:
            ExportError: none is left.
        """
        pairs = list(zip(built, reports, strict=True))
        if not any(report.kept for report in reports):
            missed = "; ".join(f"{report.name}: {report.why_refused()}" for report in reports)
            raise ExportError(f"no variant passed its gate: {missed}")
        for variant, report in pairs:
            if not report.kept:
                for file in variant.files:
                    (self.folder / file).unlink()
        kept = tuple(variant for variant, report in pairs if report.kept)
        write_manifest(self.folder, manifest_of(self.folder, self.description, kept, reports))
        return kept

    def measure(
        self, source: str, kept: Sequence[BuiltVariant], data: RetrievalData | None
    ) -> Quality:
        """What slices keep, and fewer layers where the model was cut to its first."""
        if data is None:
            self.on_step(f"measuring what every slice keeps on {len(self.sample.documents)} texts")
            quality = self_labelled(self.folder, kept, self.sample, self.description)
        else:
            where = f"on {len(data.documents)} documents of {data.name}"
            quality = judged(
                self.folder,
                kept,
                data,
                self.description,
                lambda name: self.on_step(f"measuring {name} {where}"),
            )
        options = self.options
        if options.layers is None:
            return quality
        origin = locate(source, options)
        self.on_step("measuring what fewer layers keep")
        layers = by_layers(
            origin.folder,
            options.layers,
            self.sample,
            lambda one: open_folder(Origin.of_folder(one), options),
        )
        return quality._replace(layers=layers)

    def finish(
        self, kept: Sequence[BuiltVariant], reports: Sequence[VariantReport], quality: Quality
    ) -> Manifest:
        """Write the page and, last of all, the manifest with the hash of each file."""
        manifest = manifest_of(self.folder, self.description, kept, reports, quality)
        self.on_step("writing the bundle")
        page = html_report(manifest, reports, self.model.reference_name(), shipped(*DEVICES))
        (self.folder / REPORT_FILE).write_text(page, encoding="utf-8", newline="\n")
        manifest = manifest._replace(files=list_files(self.folder))
        write_manifest(self.folder, manifest)
        return manifest


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
