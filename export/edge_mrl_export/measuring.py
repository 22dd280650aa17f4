"""What slices, variants and layers keep: texts through the device runtime, or through the model's
own library, and the measures on them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from edge_mrl.bundle.manifest import Estimate, LayerQuality, Quality, VariantQuality
from edge_mrl.encoder import Encoder
from edge_mrl.errors import InputError
from edge_mrl.slices import Slice, prefix
from edge_mrl_export.evaluation.data import RetrievalData, read_data
from edge_mrl_export.evaluation.measures import Measured, rank, retrieval
from edge_mrl_export.evaluation.run import embed, measure
from edge_mrl_export.extras import require
from edge_mrl_export.layers import count_layers, first_layers
from edge_mrl_export.model import BuiltVariant, ModelDescription, Source
from edge_mrl_export.quality import MEASURED_BITS, measure_quality, one_answer
from edge_mrl_export.sample import Sample

LAYER_DOCUMENTS = 500
LAYER_QUERIES = 125
"""Every number of layers embeds the sample anew, so it is a small one."""

OpenFolder = Callable[[Path], Source]


def labelled_data(folder: Path) -> RetrievalData:
    """The data behind `--eval`.

    Raises:
        InputError: it cannot be used, or holds pairs of sentences, of which no slice is searched.
        ExportError: the package that computes the measures is not installed.
    """
    require("ir_measures", "scipy", extra="eval", what="export with --eval")
    data = read_data(folder)
    if not isinstance(data, RetrievalData):
        raise InputError(
            f"--eval {folder} holds pairs of sentences, and the quality of a slice is measured by "
            "search: give a folder with corpus.jsonl, queries.jsonl and qrels/test.tsv, and use "
            "`edge-mrl eval` for the pairs"
        )
    return data


def self_labelled(
    folder: Path, variants: Sequence[BuiltVariant], sample: Sample, description: ModelDescription
) -> Quality:
    """The quality table of a bundle folder, measured on texts that nobody judged."""
    best = _best(variants)
    encoder = _encoder(folder, best)
    return measure_quality(
        encoder.encode_query(sample.queries),
        encoder.encode_document(sample.documents),
        one_answer(sample.answers),
        description.matryoshka_dims,
        "self-labelled: first sentence as query, the rest as its document, from "
        f"{sample.origin}; {best.name}",
    )


def judged(
    folder: Path,
    variants: Sequence[BuiltVariant],
    data: RetrievalData,
    description: ModelDescription,
    on_variant: Callable[[str], None],
) -> Quality:
    """The quality table of a bundle folder, measured on labelled data; every variant at every slice
    too.

    Args:
        folder: a bundle folder with a manifest.
        variants: its variants.
        data: queries, documents and judgements.
        description: the model.
        on_variant: called with the name of each variant before its texts are embedded.
    """
    best = _best(variants)
    table: Quality | None = None
    rows: list[VariantQuality] = []
    for variant in variants:
        on_variant(variant.name)
        queries, documents = embed(_encoder(folder, variant), data, lambda *_: None)
        for slice_ in (Slice(dim, bits) for dim in variant.dims for bits in MEASURED_BITS):
            found = measure(data, queries, documents, slice_)
            rows.append(
                VariantQuality(
                    variant.name,
                    slice_,
                    _estimate(found["ndcg@10"]),
                    _estimate(found["recall@100"]),
                )
            )
        if variant is best:
            table = measure_quality(
                queries,
                documents,
                lambda scores: retrieval(rank(scores), data.judgements)["ndcg@10"].value,
                description.matryoshka_dims,
                f"judged data, {data.name}; {best.name}",
                "judged",
            )
    assert table is not None
    return table._replace(variants=tuple(rows))


def by_layers(
    folder: Path, layers: int, sample: Sample, open_folder: OpenFolder
) -> tuple[LayerQuality, ...]:
    """What the first layers of a model are worth, beside a number halfway to all of them, and all.

    Args:
        folder: the whole model.
        layers: how many layers the bundle keeps.
        sample: self-labelled texts; a part of them is used.
        open_folder: opens a model folder.
    """
    whole = count_layers(folder)
    part = _smaller(sample)
    found: dict[int, dict[int, float]] = {}
    for count in sorted({layers, (layers + whole) // 2, whole}):
        if count == whole:
            found[count] = _own_quality(open_folder(folder), part)
        else:
            with first_layers(folder, count) as cut:
                found[count] = _own_quality(open_folder(cut), part)
    full = max(found[whole].items())[1]
    return tuple(
        LayerQuality(count, dim, round(ndcg, 4), round(ndcg / full, 4) if full else 0.0)
        for count, by_dim in found.items()
        for dim, ndcg in by_dim.items()
    )


def _own_quality(model: Source, sample: Sample) -> dict[int, float]:
    description = model.describe()
    prompts = description.prompts
    asked = prompts.get("query", "")
    stored = next(
        (prompts[name] for name in ("document", "passage", "corpus") if name in prompts), ""
    )
    queries = model.reference([asked + text for text in sample.queries])
    documents = model.reference([stored + text for text in sample.documents])
    ndcg = one_answer(sample.answers)
    return {
        dim: ndcg(prefix(queries, dim) @ prefix(documents, dim).T)
        for dim in description.matryoshka_dims
    }


def _smaller(sample: Sample) -> Sample:
    """The first documents of a sample, and the queries that they answer."""
    documents = sample.documents[:LAYER_DOCUMENTS]
    kept = [
        (query, answer)
        for query, answer in zip(sample.queries, sample.answers, strict=True)
        if answer < len(documents)
    ][:LAYER_QUERIES]
    queries, answers = zip(*kept, strict=True)
    return Sample(sample.origin, queries, documents, answers)


def _best(variants: Sequence[BuiltVariant]) -> BuiltVariant:
    # The variant that is nearest to fp32 states what slices keep; the gates state what variants
    # lose.
    return max(variants, key=lambda variant: (max(variant.dims), variant.min_cosine))


def _encoder(folder: Path, variant: BuiltVariant) -> Encoder:
    return Encoder.load(
        folder,
        variant=variant.name,
        truncate_dim=max(variant.dims),
        self_test=False,
        threads=os.cpu_count(),
    )


def _estimate(measured: Measured) -> Estimate:
    return Estimate(round(measured.value, 4), round(measured.low, 4), round(measured.high, 4))
